"""The flight recorder: the last requests and those in hand, kept as they came, read only when asked for."""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import Final, NamedTuple

from pullback_server.model.evaluation import Kind, Timing

Began = tuple[float, str, str, str, Kind | None, int | None]
"""When, on the clock of `time.monotonic`, under which request id and for which tenant a request of a revision
began, of which kind and of how many points; without revision and kind where it could not be understood."""


def refused(at: float, request_id: str, tenant: str) -> Began:
    """How a request began of which nothing else is known."""
    return at, request_id, tenant, "", None, None


class Record(NamedTuple):
    """One evaluation.

    Attributes:
        time: When it began, in seconds since 1970.
        request_id: The id of its call.
        tenant: Whose it was.
        function: The name of the revision.
        derivative: What was wanted: `value`, `gradient`, ...
        points: The size of the batch; None for a single point.
        seconds: How long it took, or has taken until now where it has not ended.
        queue: How long it waited for others.
        compile: How long was compiled for it.
        execute: How long its run was on the device.
        reason: Why it failed; empty where it did not, `IN_HAND` where it has not ended.
        worker: Which worker ran it; empty where that is not known.
    """

    time: float
    request_id: str
    tenant: str
    function: str
    derivative: str
    points: int | None
    seconds: float
    queue: float = 0.0
    compile: float = 0.0
    execute: float = 0.0
    reason: str = ""
    worker: str = ""


IN_HAND: Final = "IN_HAND"
NOTHING: Final = Timing()


class Recorder:
    """Keeps the last evaluations, without their numbers.

    Args:
        most: How many; 0 keeps none but those in hand.
    """

    __slots__ = ("_ended", "_in_hand", "_numbers")

    def __init__(self, most: int) -> None:
        self._ended: deque[tuple[Began, float, Timing, str]] = deque(maxlen=most)
        self._in_hand: dict[int, Began] = {}
        self._numbers = itertools.count()

    def begin(self, began: Began) -> int:
        """Has one in hand; gives the number under which to take it."""
        number = next(self._numbers)
        self._in_hand[number] = began
        return number

    def take(self, number: int) -> Began:
        """Takes one out of those in hand, by the number that it was given."""
        return self._in_hand.pop(number)

    def keep(self, began: Began, seconds: float, timing: Timing = NOTHING, reason: str = "") -> None:
        """Records one that has ended."""
        self._ended.append((began, seconds, timing, reason))

    @property
    def most(self) -> int:
        """How many are kept."""
        return self._ended.maxlen or 0

    @property
    def in_hand(self) -> int:
        """How many have begun and not ended."""
        return len(self._in_hand)

    def recent(self, most: int | None = None) -> Iterator[Record]:
        """Those that have ended, the last one first, at most so many; as they are now.

        What was kept is copied at once and made readable with each step, which another thread may do.
        """
        since = time.time() - time.monotonic()
        ended = list(self._ended)
        return (
            _record(began, since, seconds, timing, reason)
            for began, seconds, timing, reason in islice(reversed(ended), most)
        )

    def open(self) -> Iterator[Record]:
        """Those in hand, the oldest first; as `recent`."""
        now = time.monotonic()
        since = time.time() - now
        in_hand = list(self._in_hand.values())
        return (_record(began, since, now - began[0], NOTHING, IN_HAND) for began in in_hand)


def _record(began: Began, since: float, seconds: float, timing: Timing, reason: str) -> Record:
    at, request_id, tenant, function, kind, points = began
    return Record(
        since + at,
        request_id,
        tenant,
        function,
        derivative_of(kind),
        points,
        seconds,
        timing.queue,
        timing.compile,
        timing.execute,
        reason,
        timing.worker,
    )


def derivative_of(kind: Kind | None) -> str:
    """What is wanted, in a word of a bounded set: a quantity, `value_and_` a quantity, or `several`.

    Of what could not be understood, it is the empty word.
    """
    if kind is None:
        return ""
    quantities = sorted({want.quantity.value for want in kind.wants}, key=lambda each: each != "value")
    match quantities:
        case [one]:
            return one
        case ["value", other]:
            return f"value_and_{other}"
        case _:
            return "several"
