"""The batcher: decides for each evaluation when it runs, with whom, and in how many pieces.

Nobody waits while a worker is idle: while fewer runs of a kind are in hand than keep the workers busy, an
evaluation goes at once and alone. Those that come meanwhile wait, and travel together when a place is free.

Knows the engine and asyncio; the decisions themselves are in `serving`, the arithmetic in `joining`
and `splitting`, what is known of a kind in its `lane`. Which lane's turn it is, the lanes need not agree on:
each has places of its own.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from itertools import accumulate
from typing import Final

from pullback_server.engine.interface import Engine, WorkerState
from pullback_server.errors import AvailabilityError, Reason, ServiceError, StoredDataError, service_error
from pullback_server.model.evaluation import Evaluation, Outcome
from pullback_server.model.tickets import OPEN, Ticket
from pullback_server.scheduling.buckets import POINT, bucket_of
from pullback_server.scheduling.figures import Figures
from pullback_server.scheduling.group import Group
from pullback_server.scheduling.lane import Joining, Lane, Member
from pullback_server.scheduling.lanes import Lanes
from pullback_server.scheduling.serving import Gathering, Piece, gather, serve, worth_compiling
from pullback_server.scheduling.splitting import cut, put_together, spread
from pullback_server.scheduling.warming import Warming

# gRPC hands over a request in several rounds of the loop, with another thread between them; after so many
# rounds without one, nobody else has come. An idle round takes a microsecond. With 64 callers of single
# points, 2 rounds had all go alone; 50 took a tenth less of the front's time than 12, and 150 no less.
_QUIET_ROUNDS: Final = 50
# With so many there is little to gain from more.
_ENOUGH: Final = 64
# From here on it is worth a thought how a batch is served, though its own bucket is warm.
_HEAVY_SECONDS: Final = 2e-3
# Batches that take longer are spread over workers, in pieces that take half as long at least.
_SPREAD_SECONDS: Final = 8e-3
# Reasons that no member of a run is the cause of.
_EVERYONES: Final = frozenset({Reason.OVERLOADED, Reason.PROGRAM_NOT_FOUND, Reason.CONSTANT_NOT_FOUND})
# What compiling is believed to take before it was measured.
_COMPILING_SECONDS: Final = 0.25


class Batcher:
    """Runs evaluations on an engine.

    Args:
        engine: What computes.
        joining: How much may travel together.
    """

    def __init__(self, engine: Engine, joining: Joining) -> None:
        self.figures = Figures()
        self._engine = engine
        self._lanes = Lanes(joining)
        self._warming = Warming(engine, self.figures)
        self._runs: set[asyncio.Task[None]] = set()

    async def evaluate(self, evaluation: Evaluation, ticket: Ticket = OPEN) -> Outcome:  # noqa: ARG002
        """Evaluates; raises what the engine raises."""
        self.figures.requests += 1
        points = evaluation.points
        if points == 0:
            return await self._engine.evaluate(evaluation)
        lane = self._lanes.of(evaluation.kind)
        bucket = bucket_of(points)
        kind = lane.kind_of(bucket)
        if kind is not evaluation.kind:
            evaluation = Evaluation(kind, evaluation.inputs, points, evaluation.results)
        warmth = self._engine.warmth(kind, points)
        if warmth and (lane.costs.seconds(bucket) or 0.0) < _HEAVY_SECONDS:
            return await self._whole(lane, evaluation, bucket, warmth)
        return await self._planned(lane, evaluation, bucket, warmth)

    async def _whole(self, lane: Lane, evaluation: Evaluation, bucket: int, warmth: int) -> Outcome:
        """Runs an evaluation whose own bucket is warm: at once if there is a place, else with others."""
        free = lane.running < lane.places(warmth)
        look = lane.looks_for_company()
        if look or lane.waiting or lane.alone or not free:
            return await self._wait(lane, evaluation, look=look and free)
        lane.running += 1
        self.figures.runs += 1
        try:
            outcome = await self._engine.evaluate(evaluation)
            timing = outcome.timing
            lane.learn(bucket, timing, 1)
            self.figures.batch += timing.batch
            self.figures.padding += timing.padding
            return outcome
        finally:
            lane.running -= 1
            if lane.waiting:
                self._advance(lane)

    async def _wait(self, lane: Lane, evaluation: Evaluation, *, look: bool = False) -> Outcome:
        """Has an evaluation wait for a place; where there is one, it may `look` who came with it."""
        loop = asyncio.get_running_loop()
        member = lane.member(evaluation, loop.create_future(), time.monotonic())
        lane.waiting.append(member)
        if lane.gathering is None:
            if look:
                self._gather(lane)
            else:
                self._advance(lane)
        return await member.outcome

    async def _planned(self, lane: Lane, evaluation: Evaluation, bucket: int, warmth: int) -> Outcome:
        """Runs an evaluation whose own bucket is cold, or takes long."""
        points = evaluation.points or 1
        pieces = self._spread(lane, points) if warmth and evaluation.points else ()
        serving = None if pieces else serve(points, self._warm(lane, bucket), lane.costs)
        if serving is not None and (warmth or serving.seconds < (lane.compiling or _COMPILING_SECONDS)):
            pieces = serving.pieces
            if not warmth and (len(pieces) > 1 or worth_compiling(bucket, serving.seconds, lane.costs)):
                self._warming.want(lane, bucket)
        match pieces:
            case () if not warmth:
                return await self._cold(lane, evaluation, bucket)
            case () | (Piece(),):
                return await self._wait(lane, evaluation)
            case _:
                return await self._cut(lane, evaluation, pieces)

    async def _cold(self, lane: Lane, evaluation: Evaluation, bucket: int) -> Outcome:
        """Runs what has to be compiled first. It takes no place, so that nothing warm waits for it."""
        self.figures.runs += 1
        outcome = await self._engine.evaluate(evaluation)
        lane.learn(bucket, outcome.timing, 1)
        self._advance(lane)
        return outcome

    async def _cut(self, lane: Lane, evaluation: Evaluation, pieces: Sequence[Piece]) -> Outcome:
        """Runs a batch in pieces, which wait for places like any other."""
        self.figures.cut += 1
        loop = asyncio.get_running_loop()
        point = lane.point if any(piece.bucket == POINT for piece in pieces) else None
        parts = list(cut(evaluation, pieces, point))
        members = [Member(part, loop.create_future(), time.monotonic(), part.points or 1) for part in parts]
        lane.waiting += members
        self._advance(lane)
        outcomes = await asyncio.gather(*(member.outcome for member in members))
        return put_together(outcomes, lane.batch, [part.points for part in parts], evaluation.results)

    def _spread(self, lane: Lane, points: int) -> tuple[Piece, ...]:
        """The pieces of a batch that takes long, if several workers are warm for them."""
        seconds = lane.costs.seconds(bucket_of(points)) or 0.0
        ready = sum(worker.state is WorkerState.READY for worker in self._engine.workers)
        if seconds < _SPREAD_SECONDS or ready < 2:  # noqa: PLR2004 -- one has nobody to share with
            return ()
        size = spread(points, ready, seconds, _SPREAD_SECONDS / 2)
        warm = self._engine.warmth(lane.batch, size)
        if warm < ready:
            self._warming.want(lane, bucket_of(size))
            size = spread(points, warm, seconds, _SPREAD_SECONDS / 2)
            if self._engine.warmth(lane.batch, size) < warm:
                return ()
        if size >= points:
            return ()
        starts = range(0, points, size)
        return tuple(Piece(min(size, points - start), bucket_of(size)) for start in starts)

    def _warm(self, lane: Lane, own: int) -> list[int]:
        """The buckets of a lane that a ready worker has, and into which what has the bucket `own` can go."""
        warmth = self._engine.warmth
        buckets = lane.buckets_for(own)
        return [bucket for bucket in buckets if warmth(lane.kind_of(bucket), bucket or None)]

    def _gather(self, lane: Lane) -> None:
        """Starts what waits once some rounds of the loop have brought nobody more."""
        lane.gathering = (len(lane.waiting), 0)
        asyncio.get_running_loop().call_soon(self._gather_on, lane)

    def _gather_on(self, lane: Lane) -> None:
        if lane.gathering is None:  # somebody has started them
            return
        seen, quiet = lane.gathering
        count = len(lane.waiting)
        lane.gathering = (count, quiet + 1 if count == seen else 0)
        if quiet < _QUIET_ROUNDS and count < min(_ENOUGH, lane.most):
            asyncio.get_running_loop().call_soon(self._gather_on, lane)
        else:
            self._advance(lane)

    def _advance(self, lane: Lane) -> None:
        """Starts what can start of those that wait."""
        lane.gathering = None
        while lane.waiting and not lane.alone:
            first = lane.waiting[0]
            if first.outcome.done():  # its caller has gone
                lane.waiting.popleft()
            elif lane.running < self._places(lane, first):
                self._start(lane)
            else:
                return

    def _places(self, lane: Lane, first: Member) -> int:
        """How many runs of a lane may be in hand when the first of those that wait starts."""
        if first.suspect:
            return 1
        bucket = bucket_of(first.evaluation.points)
        warmth = self._engine.warmth(lane.kind_of(bucket), first.evaluation.points)
        return lane.places(max(1, warmth), joined=first.joinable)

    def _start(self, lane: Lane) -> None:
        """Starts the first of those that wait, and those that travel with it."""
        company = lane.company()
        sums = list(accumulate(member.points for member in company))
        warm = self._warm(lane, bucket_of(company[0].evaluation.points))
        gathering = gather(sums, warm, lane.costs)
        members = company[: gathering.members]
        if len(members) < len(company):
            self._regret(lane, sums[-1], gathering, warm)
        lane.take(members)
        lane.running += 1
        lane.alone = members[0].suspect
        run = asyncio.create_task(self._run(lane, Group(lane, members, gathering.bucket)))
        self._runs.add(run)
        run.add_done_callback(self._runs.discard)

    def _regret(self, lane: Lane, points: int, gathering: Gathering, warm: Sequence[int]) -> None:
        """Sees to it that more can go together the next time, if that pays."""
        own = bucket_of(points)
        if own in warm:
            lane.costs.doubt(own)
        elif worth_compiling(own, gathering.seconds * points, lane.costs):
            self._warming.want(lane, own)

    async def _run(self, lane: Lane, group: Group) -> None:
        """One run; whatever comes of it, everyone who waits for it is told."""
        began = time.monotonic()
        try:
            outcome = await self._engine.evaluate(group.evaluation)
            lane.learn(group.bucket, outcome.timing, len(group.members))
            for member, own in zip(group.members, group.outcomes(outcome, began), strict=True):
                if not member.outcome.done():
                    member.outcome.set_result(own)
        except asyncio.CancelledError:
            for member in group.members:
                member.outcome.cancel()
            raise
        except Exception as error:  # noqa: BLE001 -- it is theirs who wait
            self._fail(lane, group.members, error)
        finally:
            self._count(group, began)
            lane.running -= 1
            lane.alone = False
            self._advance(lane)

    def _fail(self, lane: Lane, members: Sequence[Member], error: Exception) -> None:
        """Gives those who wait their error; where it may be one's alone, each is run once more by itself."""
        if len(members) > 1 and not _is_everyones(error):
            self.figures.repeated += len(members)
            for member in reversed(members):
                member.suspect = True
                lane.waiting.appendleft(member)
            return
        for member in members:
            if not member.outcome.done():
                member.outcome.set_exception(_twin(error))

    def _count(self, group: Group, began: float) -> None:
        figures = self.figures
        figures.runs += 1
        figures.batch += group.bucket
        figures.padding += group.padding
        figures.queue_seconds += sum(began - member.since for member in group.members)
        if len(group.members) > 1:
            figures.joined += len(group.members)


def _is_everyones(error: Exception) -> bool:
    """Whether an error says nothing about what was asked, but about the server or the program."""
    if not isinstance(error, ServiceError):
        return False
    return isinstance(error, AvailabilityError | StoredDataError) or error.reason in _EVERYONES


def _twin(error: Exception) -> Exception:
    """An error of its own for each who gets it, since raising leaves traces in an error."""
    if not isinstance(error, ServiceError):
        return error
    return service_error(error.reason, error.message, retry_delay=error.retry_delay, **error.metadata)
