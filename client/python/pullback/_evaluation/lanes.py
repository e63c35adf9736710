"""Which calls go at once, which wait, and which travel together: the rule of joining, without I/O.

Calls of one kind share a lane. A call goes at once while no message of its lane is under way. While that one
carries few, one more may follow as soon as it carries as many: so two callers do not wait for each other, and
many are not carried one by one beside a message that has most of them. All else waits, and travels with the
next message. So nobody waits for company, only for a place.
"""

from __future__ import annotations

from collections import deque
from typing import Final, Generic, Protocol, TypeVar

PLACES: Final = 2
"""How many messages of a lane may be under way while they carry few calls."""
FEW_OF_THREADS: Final = 4
"""So many calls of threads in one message are few. Beside a message of more no other goes: 64 threads whose
calls take no time to compute then travel 28 at a time instead of 22, and a third more of them in a second.
Tasks, which come back all at once, lose a third by it."""
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
    __slots__ = ("calls", "few", "messages", "waiting")

    def __init__(self, few: int) -> None:
        self.few = few
        self.messages = 0
        self.calls = 0
        self.waiting: deque[Member] = deque()

    def next(self) -> list[Member]:
        """Who travels now, and takes a place; empty while there is none."""
        if not self.waiting or (self.messages and not self._another()):
            return []
        group = _together(self.waiting)
        self.messages += 1
        self.calls += len(group)
        return group

    def _another(self) -> bool:
        return self.messages < PLACES and self.calls <= self.few and len(self.waiting) >= self.calls


class Lanes(Generic[Member]):
    """The lanes of one client. Not safe for threads.

    Args:
        few: The most calls in a message beside which another may go.
    """

    def __init__(self, few: int = MOST_POINTS) -> None:
        self._few = few
        self._lanes: dict[bytes, _Lane[Member]] = {}

    def enter(self, member: Member) -> list[Member]:
        """Who travels now that a call has come: it alone, some that waited, or nobody."""
        lane = self._lanes.get(member.kind)
        if lane is None:
            lane = self._lanes[member.kind] = _Lane(self._few)
        lane.waiting.append(member)
        return lane.next()

    def leave(self, group: list[Member]) -> list[Member]:
        """Who travels next, now that a message has been answered; the place stays free where nobody does."""
        kind = group[0].kind
        lane = self._lanes[kind]
        lane.messages -= 1
        lane.calls -= len(group)
        following = lane.next()
        if not lane.messages:
            del self._lanes[kind]
        return following

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
