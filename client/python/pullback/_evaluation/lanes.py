"""Which calls go at once, which wait, and which travel together: the rule of joining, without I/O.

Calls of one kind share a lane. A few messages of a lane may be under way; a call that comes meanwhile waits,
and all that wait travel in the next message. So nobody waits for company: only for a place.
"""

from __future__ import annotations

from collections import deque
from typing import Final, Generic, Protocol, TypeVar

PLACES: Final = 2
"""How many messages of a lane may be under way: while one is computed, the next is being gathered or read."""
MOST_POINTS: Final = 256
"""Of a joined message; a power of two, as servers pad to."""
MOST_BYTES: Final = 512 << 10
"""Of a joined message's tensors, there or back."""


class Waiting(Protocol):
    """A call, as far as lanes look at it.

    Attributes:
        kind: What calls have in common that can travel together.
        points: How many points it has.
        nbytes: The bytes of its tensors, there or back, whichever are more.
    """

    @property
    def kind(self) -> bytes: ...

    @property
    def points(self) -> int: ...

    @property
    def nbytes(self) -> int: ...


Member = TypeVar("Member", bound=Waiting)


class _Lane(Generic[Member]):
    __slots__ = ("under_way", "waiting")

    def __init__(self) -> None:
        self.under_way = 0
        self.waiting: deque[Member] = deque()


class Lanes(Generic[Member]):
    """The lanes of one client. Not safe for threads.

    Args:
        places: How many messages of a lane may be under way.
    """

    def __init__(self, places: int = PLACES) -> None:
        self._places = places
        self._lanes: dict[bytes, _Lane[Member]] = {}

    def enter(self, member: Member) -> bool:
        """Whether a call goes at once, and takes a place; else it waits."""
        lane = self._lanes.get(member.kind)
        if lane is None:
            lane = self._lanes[member.kind] = _Lane()
        if lane.under_way < self._places:
            lane.under_way += 1
            return True
        lane.waiting.append(member)
        return False

    def leave(self, kind: bytes) -> list[Member]:
        """Who travels next in a place that has become free; the place stays free where nobody waits."""
        lane = self._lanes[kind]
        group = _together(lane.waiting)
        if not group:
            lane.under_way -= 1
            if not lane.under_way:
                del self._lanes[kind]
        return group

    def withdraw(self, member: Member) -> bool:
        """Takes back a call that waits; False if it is under way, or gone."""
        lane = self._lanes.get(member.kind)
        if lane is None or member not in lane.waiting:
            return False
        lane.waiting.remove(member)
        return True


def _together(waiting: deque[Member]) -> list[Member]:
    """Takes the first that wait, as many as go into a message."""
    group: list[Member] = []
    points = nbytes = 0
    while waiting:
        points += waiting[0].points
        nbytes += waiting[0].nbytes
        if group and (points > MOST_POINTS or nbytes > MOST_BYTES):
            break
        group.append(waiting.popleft())
    return group
