"""Whose turn it is: fair queueing of what waits, by the device time that tenants have had. Without I/O.

Start-time fair queueing (Goyal, Vin and Cheng, SIGCOMM 1996), with device seconds in the place of bytes. Each
tenant has a clock, which its runs move on by their seconds over its weight; whose clock is least goes next.
An idle tenant's clock is brought forward to those of the others when it comes back, so that it saves nothing
up. What a run takes is charged by prediction when it starts, and put right when it has ended.

Knows neither evaluations nor an engine: whoever waits is an item in a line, first come first served, and
lines take part while they are open.
"""

from __future__ import annotations

import itertools
from collections import OrderedDict
from heapq import heappop, heappush
from typing import Final, Generic, TypeVar

_Item = TypeVar("_Item")
_Lane = TypeVar("_Lane")

# A tenant that waits where nothing of its own can start falls behind the others; it makes up for so much.
_SAVED_SECONDS: Final = 0.05


class Share(Generic[_Item, _Lane]):
    """A tenant's claim to the devices' time.

    Args:
        weight: How much of it, beside those of the others; more than 0.

    Attributes:
        clock: The device seconds that it has had, over its weight, and with those that it has let pass.
        lines: Its lines in which somebody waits.
        opened: How many of its lines are open.
        queue: These as a heap, with some that were closed; for `Turns`.
    """

    __slots__ = ("clock", "lines", "opened", "queue", "weight")

    def __init__(self, weight: float = 1.0) -> None:
        self.weight = weight
        self.clock = 0.0
        self.lines: dict[Line[_Item, _Lane], None] = {}
        self.opened = 0
        self.queue: list[_Entry[_Item, _Lane]] = []

    def newest(self) -> tuple[Line[_Item, _Lane], _Item] | None:
        """The item with the highest rank, and its line; None where nobody waits."""
        if not self.lines:
            return None
        line = max(self.lines, key=Line.last_rank)
        return line, next(reversed(line.waiting))


class Line(Generic[_Item, _Lane]):
    """Items of one share that wait for the same, first come first served.

    Args:
        share: Whose they are.
        lane: What they wait for.

    Attributes:
        waiting: The items with their ranks, which ascend.
        entry: Its entry in the queue of its share while it is open; for `Turns`.
    """

    __slots__ = ("entry", "lane", "share", "waiting")

    def __init__(self, share: Share[_Item, _Lane], lane: _Lane) -> None:
        self.share = share
        self.lane = lane
        self.waiting: OrderedDict[_Item, float] = OrderedDict()
        self.entry: _Entry[_Item, _Lane] | None = None

    @property
    def first(self) -> _Item:
        """The item at its head."""
        return next(iter(self.waiting))

    def first_rank(self) -> float:
        """The rank of the item at its head."""
        return next(iter(self.waiting.values()))

    def last_rank(self) -> float:
        """The rank of its last item."""
        return next(reversed(self.waiting.values()))


_Entry = tuple[float, int, Line[_Item, _Lane]]


class Turns(Generic[_Item, _Lane]):
    """All lines that are open, and the time by which clocks are brought forward.

    Attributes:
        now: The clock of the share that last had a turn.
        contenders: The shares with open lines; empty where nobody waits who could start.
    """

    __slots__ = ("_latest", "_numbers", "contenders", "now")

    def __init__(self) -> None:
        self.now = 0.0
        self._latest = 0.0
        self.contenders: dict[Share[_Item, _Lane], None] = {}
        self._numbers = itertools.count()

    def arrive(self, share: Share[_Item, _Lane], *, first: bool = False) -> None:
        """Brings the clock of a share forward that was idle.

        Args:
            share: The share.
            first: Whether all others are idle, too: what was had before counts no more then.
        """
        if first:
            self.now = self._latest
        if share.clock < self.now:  # noqa: PLR1730 -- as in `charge`
            share.clock = self.now

    def charge(self, share: Share[_Item, _Lane], seconds: float) -> None:
        """Moves the clock of a share on, for a run that starts, or that went without a turn."""
        clock, now = share.clock, self.now
        # With each evaluation: calls of max would take as long as the rest.
        if clock > now:
            self.now = clock
        elif clock < now - _SAVED_SECONDS:
            clock = now - _SAVED_SECONDS
        share.clock = clock = clock + seconds / share.weight
        if clock > self._latest:  # noqa: PLR1730
            self._latest = clock

    def correct(self, share: Share[_Item, _Lane], seconds: float) -> None:
        """Moves a clock by what a run took beyond what was charged; back, if that is negative."""
        share.clock += seconds / share.weight
        self._latest = max(self._latest, share.clock)

    def push(self, line: Line[_Item, _Lane], item: _Item, rank: float) -> None:
        """Has an item wait at the end of a line; the line stays open or closed."""
        if not line.waiting:
            line.share.lines[line] = None
        line.waiting[item] = rank

    def put_back(self, line: Line[_Item, _Lane], item: _Item, rank: float) -> None:
        """Has an item wait at the head of a line, which is closed."""
        self.close(line)
        self.push(line, item, rank)
        line.waiting.move_to_end(item, last=False)

    def remove(self, line: Line[_Item, _Lane], item: _Item) -> None:
        """Takes an item out of its line, wherever it stands; an empty line is closed."""
        del line.waiting[item]
        if not line.waiting:
            del line.share.lines[line]
            self.close(line)

    def open(self, line: Line[_Item, _Lane]) -> None:
        """Has a line take part, if somebody waits in it."""
        if line.entry is None and line.waiting:
            share = line.share
            entry = line.entry = (line.first_rank(), next(self._numbers), line)
            heappush(share.queue, entry)
            share.opened += 1
            self.contenders[share] = None

    def close(self, line: Line[_Item, _Lane]) -> None:
        """Has a line take no part until it is opened again."""
        if line.entry is None:
            return
        line.entry = None
        share = line.share
        share.opened -= 1
        if not share.opened:
            share.queue.clear()
            del self.contenders[share]

    def next(self) -> Line[_Item, _Lane] | None:
        """The open line whose head goes next; None where none is open.

        Of the shares with open lines the one whose clock is least has its turn, the one that waits longest
        among equals; of its lines the one whose head has the least rank.
        """
        if not self.contenders:
            return None
        share = min(self.contenders, key=_clock)
        queue = share.queue
        while True:
            rank, number, line = entry = queue[0]
            if line.entry is not entry:
                heappop(queue)
            elif (first := line.first_rank()) > rank:  # its head has gone
                heappop(queue)
                moved = line.entry = (first, number, line)
                heappush(queue, moved)
            else:
                return line


def _clock(share: Share[_Item, _Lane]) -> float:
    return share.clock
