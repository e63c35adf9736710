"""Who waits for a worker: all lanes' members, and whose turn it is. Without I/O.

Tenants share the devices' time by `turns`. Within a tenant those go first who came first, where each level of
priority counts as so many seconds that an evaluation came earlier: a higher one goes before all that came at
about the same time, and nobody waits for ever, however much of higher priority comes.
"""

from __future__ import annotations

from typing import Final

from pullback_server.scheduling.accounts import Account
from pullback_server.scheduling.lane import Lane, Member
from pullback_server.scheduling.turns import Line, Turns

LEAD_SECONDS: Final = 5.0
"""So much earlier an evaluation counts as having come, for each level of its priority."""


class Queue:
    """Those who wait.

    Args:
        turns: Whose turn it is.

    Attributes:
        nbytes: The bytes of what they ask and will get.
    """

    def __init__(self, turns: Turns[Member, Lane]) -> None:
        self.nbytes = 0
        self._turns = turns

    def add(self, lane: Lane, member: Member, *, later: float = 0.0) -> None:
        """Has a member wait, where its lane is open or not.

        Args:
            lane: Its lane.
            member: The member.
            later: How many seconds after it came its turn is, if nobody else waits: that of a piece of a
                batch is after those of the pieces before it, and in between those of others.
        """
        line = member.line = lane.line_of(member)
        self._turns.push(line, member, _rank(member) + later)
        self._count(lane, member, 1)

    def put_back(self, lane: Lane, member: Member) -> None:
        """Has a member that was started wait again, before those of its line."""
        line = member.line = lane.line_of(member)
        member.trip = None
        self._turns.put_back(line, member, _rank(member))
        self._count(lane, member, 1)

    def remove(self, member: Member) -> None:
        """Takes a member out that waits."""
        line = member.line
        if line is not None:
            member.line = None
            self._turns.remove(line, member)
            self._count(line.lane, member, -1)
            if not line.lane.waiting:  # whoever comes next asks anew whether there is a place
                line.lane.blocked = False

    def release(self, lane: Lane) -> None:
        """Has those of a lane take their turns."""
        lane.blocked = False
        for line in lane.lines.values():
            self._turns.open(line)

    def block(self, lane: Lane) -> None:
        """Has those of a lane wait until it is released."""
        lane.blocked = True
        for line in lane.lines.values():
            self._turns.close(line)

    def next(self) -> Line[Member, Lane] | None:
        """The line whose first has its turn; None if nobody has, who may start."""
        return self._turns.next()

    def newest(self, account: Account) -> Member | None:
        """Of those of a tenant the one that would have its turn last; None if none waits."""
        found = account.share.newest()
        return None if found is None else found[1]

    def _count(self, lane: Lane, member: Member, change: int) -> None:
        nbytes = change * lane.nbytes * member.points
        lane.waiting += change
        self.nbytes += nbytes
        member.account.figures.queued += change
        member.account.figures.queued_bytes += nbytes


def late(member: Member, now: float) -> bool:
    """Whether nobody waits for a member any more at a time."""
    deadline = member.ticket.deadline
    return deadline is not None and deadline <= now


def _rank(member: Member) -> float:
    return member.since - LEAD_SECONDS * member.ticket.priority
