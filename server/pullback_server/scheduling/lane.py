"""A lane: the evaluations of one kind, those that wait and those that run. Without I/O.

Single points and batches in which everything is batched share a lane, since they can travel together.
Lanes know nothing of each other, so that a kind that compiles or takes long holds up no other. Who waits in
a lane stands in a line for each tenant and priority; the `queue` says whose turn it is.
"""

from __future__ import annotations

from asyncio import Future, Task
from bisect import bisect_right, insort
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from pullback_server.model.evaluation import Evaluation, Kind, Outcome, Timing
from pullback_server.model.memory import Place
from pullback_server.model.tickets import Ticket
from pullback_server.scheduling.accounts import Account
from pullback_server.scheduling.buckets import POINT, Costs
from pullback_server.scheduling.joining import shared_bytes
from pullback_server.scheduling.serving import run_seconds
from pullback_server.scheduling.turns import Line, Share

# For each worker: one runs, and one waits in the worker's socket.
_PLACES: Final = 2
# Of what cannot be joined, as many as a worker runs at a time.
_WIDE_PLACES: Final = 8
# Runs that are shorter are over before the front has read much more, so that one place is enough: two of them
# would have a quarter of the evaluations travel together, and cost the front and the worker twice as much.
_SHORT_SECONDS: Final = 5e-4
# So many evaluations travel in a run where there is a crowd.
_CROWD: Final = 1.5
_WEIGHT: Final = 0.2
# Without a crowd, one evaluation of so many looks for company.
_LOOKS: Final = 16
# What is joined must take so much less time for a point than alone, or nobody waits for company.
_PAYS: Final = 0.8
# Larger batches are not made of padding.
_MOST_PADDED_BYTES: Final = 1 << 20
_SECOND_THOUGHTS: Final = 8
# So many lines are kept, though nobody waits in them.
_MOST_LINES: Final = 16


@dataclass(frozen=True, slots=True)
class Joining:
    """How much may travel together.

    Attributes:
        points: The most points of a batch that is joined; 0 or 1 where nothing is joined.
        nbytes: The most bytes of its inputs and results.
    """

    points: int
    nbytes: int


@dataclass(slots=True, eq=False)
class Trip:
    """A run that was started, as those know it who travel in it.

    Attributes:
        wanted: For how many of them somebody still waits.
        task: What runs it.
        begun: Whether it has begun.
    """

    wanted: int
    task: Task[None] | None = None
    begun: bool = False


@dataclass(slots=True, eq=False)
class Member:
    """An evaluation that waits.

    Attributes:
        evaluation: What is asked.
        outcome: Where its caller waits.
        account: Its tenant's.
        ticket: With what claim it waits.
        since: When it came.
        points: How many points it has; 1 for a single point.
        shared: Its shared inputs, by which it is told with whom it can travel.
        joinable: Whether it may travel with others.
        suspect: Whether it failed with others, so that it must run with no other of its lane.
        deadly: Whether a worker died when it ran with others, so that it must run with no other at all.
        line: Where it stands while it waits; None once it runs.
        trip: The run in which it travels; None while it waits.
    """

    evaluation: Evaluation
    outcome: Future[Outcome]
    account: Account
    ticket: Ticket
    since: float
    points: int
    shared: bytes = b""
    joinable: bool = False
    suspect: bool = False
    deadly: bool = False
    line: Line[Member, Lane] | None = None
    trip: Trip | None = None


@dataclass(slots=True, eq=False)
class Lane:
    """What waits and runs of one kind, and what is known of it.

    Attributes:
        batch: The kind of its batches.
        point: The kind of its single points; None where points share inputs.
        most: How many points may travel together.
        nbytes: The bytes of a point's inputs and results.
        costs: What runs take.
        lines: Where its members wait, by tenant and priority.
        waiting: How many of them do.
        running: How many runs workers have in hand, without those that compile first.
        alone: Whether a suspect runs, so that nothing else may.
        blocked: Whether those who wait have to until a run has ended.
        compiling: What the last executable took to compile, in seconds; None before the first.
        buckets: The buckets that ran or were compiled once, in ascending order.
        wanted: How often a cold bucket would have been of use.
        pays: Whether points in a batch take clearly less time than alone; hoped for until it is known.
        runs: How many runs were learnt from.
        seconds: What a run takes of late.
        company_size: How many evaluations travel in a run of late.
        gathering: While company is looked for: how many waited in the last round of the loop, and for how
            many rounds; None while it is not.
        asked: How many evaluations were asked for whose own bucket was warm.
        refused: Buckets that cannot be compiled.
    """

    batch: Kind
    point: Kind | None
    most: int
    nbytes: int
    costs: Costs = field(default_factory=Costs)
    lines: dict[tuple[Share[Member, Lane], int], Line[Member, Lane]] = field(default_factory=dict)
    waiting: int = 0
    running: int = 0
    alone: bool = False
    blocked: bool = False
    compiling: float | None = None
    buckets: list[int] = field(default_factory=list)
    wanted: dict[int, int] = field(default_factory=dict)
    pays: bool = True
    runs: int = 0
    seconds: float = 0.0
    company_size: float = 1.0
    gathering: tuple[int, int] | None = None
    asked: int = 0
    refused: set[int] = field(default_factory=set)

    @property
    def idle(self) -> bool:
        """Whether nothing waits or runs."""
        return not self.waiting and not self.running

    @property
    def crowded(self) -> bool:
        """Whether evaluations come faster than they would run alone."""
        return self.company_size > _CROWD

    def looks_for_company(self) -> bool:
        """Whether an evaluation that could go at once should see first who comes at the same time.

        In a crowd each does, and else one of many, which finds out whether there is a crowd: a front that has
        more to read than it can sees one request at a time, while the others wait in sockets.
        """
        self.asked += 1
        return self.most > 1 and (self.crowded or self.asked % _LOOKS == 0)

    def places(self, workers: int, *, joined: bool = True) -> int:
        """How many runs may be in hand when another starts.

        Args:
            workers: How many workers are warm for it.
            joined: Whether those that wait for a place could travel together.
        """
        if not joined or not self.pays:
            return _WIDE_PLACES * workers
        return 1 if self.seconds < _SHORT_SECONDS else _PLACES * workers

    def learn(self, bucket: int, timing: Timing, members: int) -> None:
        """Remembers what came of a run of so many evaluations."""
        self.know(bucket)
        self.company_size += _WEIGHT * (members - self.company_size)
        if timing.compile:
            self.compiling = timing.compile
            return
        self.costs.learn(bucket, timing.execute)
        self.seconds += _WEIGHT * (timing.execute - self.seconds)
        self.runs += 1
        if self.runs % _SECOND_THOUGHTS == 0:
            self.pays = self._joining_pays()

    def kind_of(self, bucket: int) -> Kind:
        """The kind of evaluations that run in a bucket."""
        return self.point if bucket == POINT and self.point is not None else self.batch

    def buckets_for(self, own: int) -> list[int]:
        """The known buckets in which what has the bucket `own` can run without padding of many bytes."""
        largest = max(own, _MOST_PADDED_BYTES // max(self.nbytes, 1))
        return self.buckets[: bisect_right(self.buckets, largest)]

    def know(self, bucket: int) -> None:
        """Remembers that a bucket can be warm."""
        if bucket not in self.buckets:
            insort(self.buckets, bucket)

    def member(
        self, evaluation: Evaluation, outcome: Future[Outcome], now: float, account: Account, ticket: Ticket
    ) -> Member:
        """One who waits."""
        points = 1 if evaluation.points is None else evaluation.points
        joinable = (
            points <= self.most
            and evaluation.results is None
            and not any(isinstance(data, Place) for data in evaluation.inputs)
        )
        shared = shared_bytes(self.batch, evaluation) if joinable else b""
        return Member(evaluation, outcome, account, ticket, now, points, shared, joinable)

    def line_of(self, member: Member) -> Line[Member, Lane]:
        """Where a member has to wait."""
        key = (member.account.share, member.ticket.priority)
        line = self.lines.get(key)
        if line is None:
            if len(self.lines) >= _MOST_LINES:
                self.lines = {old: each for old, each in self.lines.items() if each.waiting}
            line = self.lines[key] = Line(member.account.share, self)
        return line

    def company(self, line: Line[Member, Lane]) -> list[Member]:
        """The first of a line, and those who can travel with it, as many as may."""
        first = line.first
        if not first.joinable or first.suspect:
            return [first]
        company: list[Member] = []
        points = 0
        for member in self._in_order(line):
            if points + member.points > self.most:
                break
            if member.joinable and not member.suspect and member.shared == first.shared:
                company.append(member)
                points += member.points
        return company

    def _in_order(self, line: Line[Member, Lane]) -> Iterator[Member]:
        """Those who wait in a line, then the others of its tenant, then all others."""
        yield from line.waiting
        if len(line.waiting) < self.waiting:
            share = line.share
            others = [each for each in self.lines.values() if each.waiting and each is not line]
            others.sort(key=lambda each: (each.share is not share, each.first_rank()))
            for each in others:
                yield from each.waiting

    def _joining_pays(self) -> bool:
        batches = [bucket for bucket in self.buckets if bucket > 1]
        if not batches or POINT not in self.buckets or not self.costs.batches:
            return True
        least = min(run_seconds(bucket, self.costs) / bucket for bucket in batches)
        return least < _PAYS * run_seconds(POINT, self.costs)
