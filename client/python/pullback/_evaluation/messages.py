"""Messages that carry several calls, and their end when nobody waits for any of them; without I/O."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from pullback._trip import Trip


class Rpc(Protocol):
    """What carries a message, in either twin."""

    def cancel(self) -> object:
        """Ends it, unless it has ended."""


class Passenger(Protocol):
    """A call that travels with others.

    Attributes:
        trip: When it must be over, and under which id it goes.
        message: What it travels in; None while it waits, and once its caller has gone.
    """

    trip: Trip
    message: Message | None


class Message:
    """Calls that travel together, under the id of the first; it is cancelled when all callers have gone.

    It knows its calls by number alone: one that knew them, as they know it, would keep their tensors.

    Args:
        passengers: The calls.

    Attributes:
        request_id: Its id.
    """

    __slots__ = ("_rpc", "_waiting", "request_id")

    def __init__(self, passengers: Sequence[Passenger]) -> None:
        self.request_id = passengers[0].trip.request_id
        self._rpc: Rpc | None = None
        self._waiting = len(passengers)
        for passenger in passengers:
            passenger.message = self
            passenger.trip.sent_as = self.request_id

    @property
    def deserted(self) -> bool:
        """Whether all callers have gone."""
        return not self._waiting

    def carried_by(self, rpc: Rpc) -> None:
        """Takes what carries it, which may come after the last caller has gone."""
        self._rpc = rpc
        if self.deserted:
            rpc.cancel()

    def lose_one(self) -> bool:
        """Notes that a caller has gone; says whether it was the last. Not safe for threads."""
        self._waiting -= 1
        return self.deserted

    def cancel(self) -> None:
        """Has the server work on it no more."""
        if self._rpc is not None:
            self._rpc.cancel()


def leave(passenger: Passenger) -> Message | None:
    """Notes that the caller of a call has gone; gives its message, to be cancelled, if it was the last."""
    message, passenger.message = passenger.message, None
    return message if message is not None and message.lose_one() else None
