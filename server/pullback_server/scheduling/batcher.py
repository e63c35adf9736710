"""The batcher: decides for each evaluation when it runs, with whom, and in how many pieces.

Nobody waits while there is a place: while fewer runs of a kind are in hand than keep the workers busy, and
the workers have not enough in hand of all kinds, an evaluation goes at once and alone. Those that come
meanwhile wait, and travel together when a place is free. Whose turn it is then, the `queue` says, for all
lanes: tenants share the devices' time.

Knows the engine and asyncio; the decisions themselves are in `planning` and `serving`, the arithmetic in
`joining` and `splitting`, what is known of a kind in its `lane`, and what workers may have in `hand`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from itertools import accumulate
from typing import Final

from pullback_server.engine.interface import Engine
from pullback_server.errors import AvailabilityError, Reason, ServiceError, StoredDataError, service_error
from pullback_server.model.evaluation import Evaluation, Outcome
from pullback_server.model.tickets import OPEN, Ticket
from pullback_server.model.tickets import ticket as served
from pullback_server.scheduling.accounts import Account, Accounts
from pullback_server.scheduling.buckets import POINT, bucket_of
from pullback_server.scheduling.figures import Figures
from pullback_server.scheduling.gate import Gate
from pullback_server.scheduling.group import Group
from pullback_server.scheduling.hand import Hand
from pullback_server.scheduling.lane import Joining, Lane, Member, Trip
from pullback_server.scheduling.lanes import Lanes
from pullback_server.scheduling.planning import Planning
from pullback_server.scheduling.queue import Queue, late
from pullback_server.scheduling.serving import Piece, gather, run_seconds
from pullback_server.scheduling.splitting import cut, put_together
from pullback_server.scheduling.turns import Line
from pullback_server.scheduling.warming import Warming

# gRPC hands over a request in several rounds of the loop, with another thread between them; after so many
# rounds without one, nobody else has come. An idle round takes a microsecond. With 64 callers of single
# points, 2 rounds had all go alone; 50 took a tenth less of the front's time than 12, and 150 no less.
_QUIET_ROUNDS: Final = 50
# With so many there is little to gain from more.
_ENOUGH: Final = 64
# From here on it is worth a thought how a batch is served, though its own bucket is warm.
_HEAVY_SECONDS: Final = 2e-3
# Reasons that no member of a run is the cause of.
_EVERYONES: Final = frozenset(
    {
        Reason.OVERLOADED,
        Reason.PROGRAM_NOT_FOUND,
        Reason.CONSTANT_NOT_FOUND,
        Reason.QUARANTINED,
        Reason.DEADLINE_EXCEEDED,
    }
)
# Reasons for which a worker has died, or was killed.
_DEADLY: Final = frozenset({Reason.WORKER_DIED, Reason.DEVICE_MEMORY_EXCEEDED, Reason.RUN_TIME_EXCEEDED})


class Batcher:
    """Runs evaluations on an engine.

    Args:
        engine: What computes.
        joining: How much may travel together.
        accounts: Those of the tenants, who share the engine.
    """

    def __init__(self, engine: Engine, joining: Joining, accounts: Accounts | None = None) -> None:
        self.figures = Figures()
        self._engine = engine
        self._accounts = Accounts() if accounts is None else accounts
        self._turns = self._accounts.turns
        self._queue = Queue(self._turns)
        self._hand = Hand()
        self._lanes = Lanes(joining)
        self._planning = Planning(engine, Warming(engine, self.figures))
        self._gate = Gate(self._accounts, self._planning.ready)
        self._trips: set[asyncio.Task[None]] = set()

    async def evaluate(
        self, evaluation: Evaluation, ticket: Ticket = OPEN, account: Account | None = None
    ) -> Outcome:
        """Evaluates.

        Args:
            evaluation: What.
            ticket: With what claim.
            account: Its tenant's, where that is at hand.

        Raises:
            ServiceError: What the engine raises; DEADLINE_EXCEEDED if the ticket's deadline passes while it
                waits; OVERLOADED if it is dropped for others while it waits.
        """
        self.figures.requests += 1
        points = evaluation.points
        if points == 0:
            return await self._engine.evaluate(evaluation, ticket.deadline)
        if account is None:
            account = self._accounts.of(ticket.tenant)
        lane = self._lanes.of(evaluation.kind)
        bucket = bucket_of(points)
        kind = lane.kind_of(bucket)
        if kind is not evaluation.kind:
            evaluation = Evaluation(kind, evaluation.inputs, points, evaluation.results)
        if self._engine.keeps_apart(kind.digest, ticket.tenant):
            return await self._apart(lane, evaluation, account, ticket, bucket)
        warmth = self._engine.warmth(kind, points)
        seconds = lane.costs.seconds(bucket) or 0.0
        if not warmth or seconds >= _HEAVY_SECONDS:
            return await self._planned(lane, evaluation, account, ticket, bucket, warmth)
        free = lane.running < lane.places(warmth) and not self._turns.contenders and self._hand.free(seconds)
        look = lane.looks_for_company()
        if look or lane.waiting or lane.alone or not free:
            return await self._wait(lane, evaluation, account, ticket, look=look and free)
        return await self._whole(lane, evaluation, account, ticket, bucket, seconds)

    @property
    def gate(self) -> Gate:
        """What stands before all that workers prepare."""
        return self._gate

    def shed(self, account: Account, error: Exception) -> bool:
        """Drops what a tenant queued last, with an error; False if nothing of it waits."""
        member = self._queue.newest(account)
        if member is not None:
            self._drop(member, error)
        return member is not None

    async def _whole(
        self,
        lane: Lane,
        evaluation: Evaluation,
        account: Account,
        ticket: Ticket,
        bucket: int,
        seconds: float,
    ) -> Outcome:
        """Runs an evaluation whose own bucket is warm, at once."""
        hand, figures = self._hand, self.figures
        lane.running += 1
        hand.runs += 1
        hand.seconds += seconds
        figures.runs += 1
        spent, began = -1.0, time.monotonic()
        try:
            outcome = await self._engine.evaluate(evaluation, ticket.deadline)
            timing = outcome.timing
            spent = timing.execute
            lane.learn(bucket, timing, 1)
            figures.batch += timing.batch
            figures.padding += timing.padding
            return outcome
        finally:
            lane.running -= 1
            hand.runs -= 1
            hand.seconds -= seconds
            if spent < 0.0:  # it failed, or its caller has gone
                spent = time.monotonic() - began
            if self._accounts.several:
                self._turns.charge(account.share, spent)
            account.figures.device_seconds += spent
            if lane.waiting:
                self._release(lane)
            elif self._turns.contenders:
                self._advance()

    async def _wait(
        self, lane: Lane, evaluation: Evaluation, account: Account, ticket: Ticket, *, look: bool = False
    ) -> Outcome:
        """Has an evaluation wait for a place; where there is one, it may `look` who came with it."""
        self._share(ticket)
        loop = asyncio.get_running_loop()
        member = lane.member(evaluation, loop.create_future(), time.monotonic(), account, ticket)
        self._queue.add(lane, member)
        if lane.gathering is None and not lane.blocked:
            if look:
                self._gather(lane)
            else:
                self._release(lane)
        try:
            return await member.outcome
        except asyncio.CancelledError:
            self._leave(member)
            raise
        finally:
            del member  # it has the error that is raised, which has this frame: garbage that holds the inputs

    async def _planned(
        self, lane: Lane, evaluation: Evaluation, account: Account, ticket: Ticket, bucket: int, warmth: int
    ) -> Outcome:
        """Runs an evaluation whose own bucket is cold, or takes long."""
        self._share(ticket)
        pieces = self._planning.pieces(
            lane, evaluation.points, bucket, warm=bool(warmth), shared=self._hand.shared
        )
        match pieces:
            case () if not warmth:
                return await self._cold(lane, evaluation, account, ticket, bucket)
            case () | (Piece(),):
                return await self._wait(lane, evaluation, account, ticket)
            case _:
                return await self._cut(lane, evaluation, account, ticket, pieces)

    async def _cold(
        self, lane: Lane, evaluation: Evaluation, account: Account, ticket: Ticket, bucket: int
    ) -> Outcome:
        """Runs what has to be compiled first. It takes no place, so that nothing warm waits for it."""
        async with self._gate.place(account, ticket) as waited:
            if not waited or not self._engine.warmth(evaluation.kind, evaluation.points):
                return await self._compiled(lane, evaluation, account, ticket, bucket)
        # Meanwhile it was compiled for somebody else.
        self.figures.requests -= 1
        return await self.evaluate(evaluation, ticket, account)

    async def _apart(
        self, lane: Lane, evaluation: Evaluation, account: Account, ticket: Ticket, bucket: int
    ) -> Outcome:
        """Runs what is left running too often. It takes no place, so that nothing else waits for it."""
        async with self._gate.place(account, ticket):
            return await self._compiled(lane, evaluation, account, ticket, bucket, alone=True)

    async def _compiled(
        self,
        lane: Lane,
        evaluation: Evaluation,
        account: Account,
        ticket: Ticket,
        bucket: int,
        *,
        alone: bool = False,
    ) -> Outcome:
        self.figures.runs += 1
        outcome = await self._engine.evaluate(evaluation, ticket.deadline, alone=alone)
        self._turns.charge(account.share, outcome.timing.execute)
        account.figures.device_seconds += outcome.timing.execute
        lane.learn(bucket, outcome.timing, 1)
        self._release(lane)
        return outcome

    async def _cut(
        self, lane: Lane, evaluation: Evaluation, account: Account, ticket: Ticket, pieces: Sequence[Piece]
    ) -> Outcome:
        """Runs a batch in pieces, which wait for places like any other."""
        self.figures.cut += 1
        loop, now = asyncio.get_running_loop(), time.monotonic()
        point = lane.point if any(piece.bucket == POINT for piece in pieces) else None
        parts = list(cut(evaluation, pieces, point))
        members = [
            Member(part, loop.create_future(), account, ticket, now, part.points or 1) for part in parts
        ]
        later = 0.0
        for member, piece in zip(members, pieces, strict=True):
            self._queue.add(lane, member, later=later)
            later += run_seconds(piece.bucket, lane.costs)
        self._release(lane)
        try:
            outcomes = await asyncio.gather(*(member.outcome for member in members))
        except BaseException:
            for member in members:
                if not member.outcome.done() or member.outcome.cancelled():
                    member.outcome.cancel()
                    self._leave(member)
            raise
        finally:
            members.clear()  # as in `_wait`
            del member
        return put_together(outcomes, lane.batch, [part.points for part in parts], evaluation.results)

    def _share(self, ticket: Ticket) -> None:
        """Takes note of whether there is more than one tenant, or priority."""
        if not self._hand.shared and (ticket.priority or self._accounts.several):
            self._hand.shared = True
            self._engine.make_way()

    def _gather(self, lane: Lane) -> None:
        """Starts what waits once some rounds of the loop have brought nobody more."""
        lane.gathering = (lane.waiting, 0)
        asyncio.get_running_loop().call_soon(self._gather_on, lane)

    def _gather_on(self, lane: Lane) -> None:
        if lane.gathering is None:  # somebody has started them
            return
        seen, quiet = lane.gathering
        count = lane.waiting
        lane.gathering = (count, quiet + 1 if count == seen else 0)
        if quiet < _QUIET_ROUNDS and count < min(_ENOUGH, lane.most):
            asyncio.get_running_loop().call_soon(self._gather_on, lane)
        else:
            self._release(lane)

    def _release(self, lane: Lane) -> None:
        """Has those who wait in a lane take their turns, and starts what can start."""
        lane.gathering = None
        self._queue.release(lane)
        self._advance()

    def _advance(self) -> None:
        """Starts what can start of those whose turn it is."""
        while (line := self._queue.next()) is not None:
            lane, first = line.lane, line.first
            if late(first, time.monotonic()):
                first.account.figures.late += 1
                self._drop(first, _too_late(first))
            elif lane.alone or lane.running >= self._places(lane, first):
                self._queue.block(lane)
            elif self._has_room(lane.costs.seconds(bucket_of(first.evaluation.points)) or 0.0):
                self._start(line)
            else:
                return

    def _has_room(self, seconds: float) -> bool:
        """Whether the workers should have another run in hand."""
        if self._hand.free(seconds):
            return True
        self._hand.resize(self._planning.ready())
        return self._hand.free(seconds)

    def _places(self, lane: Lane, first: Member) -> int:
        """How many runs of a lane may be in hand when the first of those that wait starts."""
        if first.suspect:
            return 1
        bucket = bucket_of(first.evaluation.points)
        warmth = self._engine.warmth(lane.kind_of(bucket), first.evaluation.points)
        return lane.places(max(1, warmth), joined=first.joinable)

    def _start(self, line: Line[Member, Lane]) -> None:
        """Starts the first of a line, and those that travel with it."""
        lane = line.lane
        company = lane.company(line)
        sums = list(accumulate(member.points for member in company))
        warm = self._planning.warm(lane, bucket_of(company[0].evaluation.points), shared=self._hand.shared)
        gathering = gather(sums, warm, lane.costs)
        members = company[: gathering.members]
        if len(members) < len(company):
            self._planning.regret(lane, sums[-1], gathering, warm)
        trip = Trip(len(members))
        for member in members:
            self._queue.remove(member)
            member.trip = trip
        self._send(lane, Group(lane, members, gathering.bucket), trip)

    def _send(self, lane: Lane, group: Group, trip: Trip) -> None:
        """Starts a run, and charges it by prediction to those whose it is."""
        seconds = lane.costs.seconds(group.bucket) or 0.0
        lane.running += 1
        lane.alone = group.members[0].suspect
        self._hand.take(seconds)
        for account, part in group.claims:
            self._turns.charge(account.share, part * seconds)
        task = trip.task = asyncio.create_task(self._run(lane, group, trip, seconds))
        self._trips.add(task)
        task.add_done_callback(self._trips.discard)

    async def _run(self, lane: Lane, group: Group, trip: Trip, seconds: float) -> None:
        """One run; whatever comes of it, everyone who waits for it is told, and its place is given on."""
        trip.begun = True
        # The task may have been made while another request was served.
        served.set(group.ticket)
        spent = None
        self._count(group)
        try:
            if trip.wanted:
                spent = await self._outcomes(lane, group)
        except asyncio.CancelledError:
            for member in group.members:
                member.outcome.cancel()
            raise
        except Exception as error:  # noqa: BLE001 -- it is theirs who wait
            self._fail(lane, group.members, error)
        finally:
            self._put_right(group, seconds, time.monotonic() - group.began if spent is None else spent)
            trip.task = None  # which has the error that cancelled it, which has this frame
            self._hand.leave(seconds)
            lane.running -= 1
            lane.alone = False
            self._release(lane)

    async def _outcomes(self, lane: Lane, group: Group) -> float:
        """Gives everyone of a run the outcome; tells how long a device worked for it, in seconds."""
        outcome = await self._engine.evaluate(
            group.evaluation, group.until, joined=len(group.members) > 1, alone=group.members[0].deadly
        )
        lane.learn(group.bucket, outcome.timing, len(group.members))
        for member, own in zip(group.members, group.outcomes(outcome), strict=True):
            if not member.outcome.done():
                member.outcome.set_result(own)
        return outcome.timing.execute

    def _put_right(self, group: Group, seconds: float, spent: float) -> None:
        """Charges what a run took in place of what was predicted."""
        for account, part in group.claims:
            self._turns.correct(account.share, part * (spent - seconds))
            account.figures.device_seconds += part * spent

    def _fail(self, lane: Lane, members: Sequence[Member], error: Exception) -> None:
        """Gives those who wait their error; where it may be one's alone, each is run once more by itself."""
        waiting = [member for member in members if not member.outcome.done()]
        if len(members) > 1 and not _is_everyones(error):
            self.figures.repeated += len(waiting)
            for member in reversed(waiting):
                member.suspect = True
                member.deadly = _is_deadly(error)
                self._queue.put_back(lane, member)
            return
        for member in waiting:
            member.outcome.set_exception(_twin(error))

    def _leave(self, member: Member) -> None:
        """Takes out one whose caller has gone, and ends a run that nobody waits for any more."""
        trip = member.trip
        if trip is None:
            self._queue.remove(member)
            return
        trip.wanted -= 1
        # One that has not begun does not even begin.
        if not trip.wanted and trip.begun and trip.task is not None:
            trip.task.cancel()

    def _drop(self, member: Member, error: Exception) -> None:
        """Ends the wait of one that was not started with an error."""
        self._queue.remove(member)
        if not member.outcome.done():
            member.outcome.set_exception(error)

    def _count(self, group: Group) -> None:
        figures = self.figures
        figures.runs += 1
        figures.batch += group.bucket
        figures.padding += group.padding
        for member in group.members:
            waited = group.began - member.since
            figures.queue_seconds += waited
            member.account.figures.queue_seconds += waited
        if len(group.members) > 1:
            figures.joined += len(group.members)


def _is_everyones(error: Exception) -> bool:
    """Whether an error says nothing about what was asked, but about the server or the program."""
    if not isinstance(error, ServiceError):
        return False
    return isinstance(error, AvailabilityError | StoredDataError) or error.reason in _EVERYONES


def _is_deadly(error: Exception) -> bool:
    """Whether a worker has died of what was asked."""
    return isinstance(error, ServiceError) and error.reason in _DEADLY


def _too_late(member: Member) -> ServiceError:
    waited = time.monotonic() - member.since
    return service_error(
        Reason.DEADLINE_EXCEEDED,
        f"the call's deadline passed after {waited:.3f} s, before a worker was free for it; "
        "give it more time, or try again when there is less to do",
    )


def _twin(error: Exception) -> Exception:
    """An error of its own for each who gets it, since raising leaves traces in an error."""
    if not isinstance(error, ServiceError):
        return error
    twin = service_error(error.reason, error.message, retry_delay=error.retry_delay)
    twin.metadata.update(error.metadata)  # of a worker's making: any names
    return twin
