"""Admission: a bound on what is in flight, so that overload is shed and never queued."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from pullback_server.errors import Reason, service_error

_WEIGHT: Final = 0.1
_SHORTEST_DELAY: Final = 0.05
_LONGEST_DELAY: Final = 10.0


class Admission:
    """Lets at most `limit` requests in at a time and refuses the others.

    Args:
        limit: The most requests in flight.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._in_flight = 0
        self._mean_seconds = _SHORTEST_DELAY

    @property
    def in_flight(self) -> int:
        """How many requests are in flight."""
        return self._in_flight

    def enter(self) -> float:
        """Takes a place, and gives the time at which it was taken, for `leave`.

        Raises:
            PressureError: OVERLOADED if all places are taken; a try after the mean time that requests
                took of late finds one free.
        """
        if self._in_flight >= self._limit:
            raise service_error(
                Reason.OVERLOADED,
                f"{self._in_flight} requests are in flight, which is the limit (max_in_flight); "
                "try again later",
                retry_delay=min(max(self._mean_seconds, _SHORTEST_DELAY), _LONGEST_DELAY),
                limit=str(self._limit),
            )
        self._in_flight += 1
        return time.monotonic()

    def leave(self, began: float) -> None:
        """Gives a place back."""
        self._in_flight -= 1
        self._mean_seconds += _WEIGHT * (time.monotonic() - began - self._mean_seconds)

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """Holds a place inside the block; raises as `enter`."""
        began = self.enter()
        try:
            yield
        finally:
            self.leave(began)
