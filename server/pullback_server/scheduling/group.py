"""What runs at once: one evaluation or several, as what is sent to a worker. Without I/O."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Final

from pullback_server.model.evaluation import Evaluation, Outcome, Timing
from pullback_server.model.functions import EVERY_TENANT
from pullback_server.model.tickets import Ticket
from pullback_server.scheduling.accounts import Account
from pullback_server.scheduling.buckets import POINT, bucket_of
from pullback_server.scheduling.joining import Results, join, shares
from pullback_server.scheduling.lane import Lane, Member
from pullback_server.scheduling.splitting import put_together

_EVERYBODYS: Final = Ticket(EVERY_TENANT)


class Group:
    """Members that travel together, at least one.

    Args:
        lane: Their lane.
        members: The members.
        bucket: What they are padded to; None for a member that is sent as it is.
    """

    def __init__(self, lane: Lane, members: Sequence[Member], bucket: int | None) -> None:
        self.members = members
        self.began = time.monotonic()
        self._lane = lane
        self.points = sum(member.points for member in members)
        self.evaluation = self._sent(bucket)

    @property
    def until(self) -> float | None:
        """When nobody waits for it any more, on the clock of `time.monotonic`; None if that never is."""
        deadlines = [member.ticket.deadline for member in self.members]
        return None if None in deadlines else max(each for each in deadlines if each is not None)

    @property
    def ticket(self) -> Ticket:
        """The ticket of whose run it is: the first one's, unless there are several tenants."""
        return self.members[0].ticket if len(self.claims) == 1 else _EVERYBODYS

    @cached_property
    def claims(self) -> list[tuple[Account, float]]:
        """The accounts of its members, each with its part of the run, by points."""
        points: dict[Account, int] = {}
        for member in self.members:
            points[member.account] = points.get(member.account, 0) + member.points
        return [(account, own / self.points) for account, own in points.items()]

    @property
    def bucket(self) -> int:
        """The bucket that runs."""
        return bucket_of(self.evaluation.points)

    @property
    def padding(self) -> int:
        """How many points of the bucket are padding; the rest of what is sent as it is, a worker pads."""
        return self.bucket - self.points if self.bucket != POINT else 0

    def outcomes(self, outcome: Outcome) -> Iterator[Outcome]:
        """The outcome of each member, from that of the run."""
        timing = outcome.timing
        batch = timing.batch or self.bucket
        padding = timing.padding + self._added if timing.batch else self.padding
        for member, results in zip(self.members, self._results(outcome), strict=True):
            queue = self.began - member.since
            yield Outcome(
                results, Timing(timing.compile, timing.execute, queue, batch, padding, timing.worker)
            )

    @property
    def _added(self) -> int:
        """How many points of what is sent are padding."""
        return 0 if self.evaluation.points is None else self.evaluation.points - self.points

    def _sent(self, bucket: int | None) -> Evaluation:
        first = self.members[0].evaluation
        if len(self.members) == 1 and bucket in (None, bucket_of(first.points)):
            return first
        if bucket == POINT and self._lane.point is not None:
            return Evaluation(self._lane.point, first.inputs)
        evaluations = [member.evaluation for member in self.members]
        return join(evaluations, self._lane.batch, bucket or self.points)

    def _results(self, outcome: Outcome) -> Iterator[Results]:
        evaluation, first = self.evaluation, self.members[0].evaluation
        if evaluation is first:
            yield outcome.results
        elif evaluation.points is None:
            yield put_together([outcome], self._lane.batch, [None]).results
        else:
            counts = [member.evaluation.points for member in self.members]
            yield from shares(outcome, self._lane.batch, counts)
