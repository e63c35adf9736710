"""Tenants on one engine: floods, shares, priorities, deadlines, and callers that go.

Runs last, on a clock that jumps: times are exact, and the tests do not wait.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import cycle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jumping import run
from squaring import BATCH, POINT, SquaringEngine, batch, point, values

from pullback_server.errors import DeadlineError, PressureError, Reason, service_error
from pullback_server.model.evaluation import Evaluation
from pullback_server.model.tickets import Ticket
from pullback_server.scheduling.accounts import Accounts
from pullback_server.scheduling.admission import Admission
from pullback_server.scheduling.hand import TILE_SECONDS
from pullback_server.scheduling.lane import Joining
from pullback_server.scheduling.scheduler import Scheduler
from pullback_server.tenants.directory import Directory, Tenant

A, B = Ticket("a"), Ticket("b")
KINDS = [replace(POINT, digest=f"f{number}") for number in range(64)]


class Bench:
    """A scheduler on an engine whose runs last."""

    def __init__(self, seconds: Callable[[int | None], float], *tenants: Tenant, workers: int = 1) -> None:
        self.engine = SquaringEngine()
        self.engine.count = workers
        self.engine.lasting = True
        self.engine.seconds = seconds
        directory = Directory(tenants, Tenant(""))
        self.accounts = Accounts(directory.tenant)
        self.scheduler = Scheduler(self.engine, Admission(1 << 14, self.accounts), Joining(64, 1 << 20))
        self.batcher = self.scheduler._batcher
        for kind in KINDS:
            self.heat(kind, 0)

    def heat(self, kind: Any, *buckets: int) -> None:
        """Has buckets be warm on all workers, and known to take what they take."""
        lane = self.batcher._lanes.of(kind)
        for bucket in buckets:
            self.engine.heat(lane.kind_of(bucket), bucket or None, self.engine.count)
            lane.know(bucket)
            lane.costs.learn(bucket, self.engine.seconds(bucket or None))

    def had(self, name: str) -> float:
        """The device seconds that a tenant had."""
        return self.accounts.of(name).figures.device_seconds

    @asynccontextmanager
    async def flood(self, ticket: Ticket, at_once: int, *evaluations: Evaluation) -> AsyncIterator[None]:
        """Has a tenant ask for one thing after the other, many at once, inside the block."""
        following = cycle(evaluations)

        async def ask() -> None:
            while True:
                await self.scheduler.evaluate(next(following), ticket)

        tasks = [asyncio.create_task(ask()) for _ in range(at_once)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def waits(self, ticket: Ticket, evaluation: Evaluation, times: int = 100) -> list[float]:
        """How long each of some calls took that come now and then, in ascending order."""
        loop, took = asyncio.get_running_loop(), []
        for number in range(times):
            await asyncio.sleep(0.0137 + 0.0003 * (number % 7))
            began = loop.time()
            await self.scheduler.evaluate(evaluation, ticket)
            took.append(loop.time() - began)
        return sorted(took)


def of_kind(number: int) -> Evaluation:
    """A point of one of many kinds."""
    return Evaluation(KINDS[number], point(1.0).inputs)


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("seconds", [1e-4, 4e-3, 30e-3])
def test_a_flood_of_many_kinds(workers: int, seconds: float) -> None:
    """Whoever else calls waits for two runs at most, however many kinds wait with however many calls."""

    async def main() -> None:
        bench = Bench(lambda _: seconds, workers=workers)
        await bench.waits(B, of_kind(0), 1)
        async with bench.flood(A, 200, *map(of_kind, range(1, 64))):
            took = await bench.waits(B, of_kind(0), 20 if seconds < TILE_SECONDS / 10 else 100)
        assert took[-1] <= seconds + max(2 * seconds, TILE_SECONDS) + 1e-9
        assert bench.had("a") > 0.9 * bench.had("b")

    run(main())


@pytest.mark.parametrize("workers", [1, 2])
def test_a_flood_of_wide_batches(workers: int) -> None:
    """Batches of one tenant are cut into tiles that take turns with others; their results stay right."""

    async def main() -> None:
        bench = Bench(lambda points: 1e-3 * (points or 1), workers=workers)
        bench.heat(BATCH, 4, 1024)
        wide = batch(*map(float, range(1024)))
        alone = (await bench.waits(B, of_kind(0)))[-1]
        asked = asyncio.create_task(bench.scheduler.evaluate(wide, A))
        async with bench.flood(A, 20, wide):
            took = await bench.waits(B, of_kind(0))
            await bench.waits(B, of_kind(0), 400)
        assert took[-1] <= alone + 2 * TILE_SECONDS + 1e-9
        assert set(bench.engine.ran) == {None, 4}
        assert values(await asked)[:, 1, 2].tolist() == [float(number) ** 2 for number in range(1024)]

    run(main())


@pytest.mark.parametrize(("seconds", "points"), [(0.6e-3, 4), (0.99e-3, 4), (5e-3, 1024)])
def test_beside_a_tile(seconds: float, points: int) -> None:
    """A worker has one tile in hand, or one batch that is not cut; a short run of another goes beside it."""

    async def main() -> None:
        bench = Bench(lambda points: 1e-4 if points is None else seconds * points)
        bench.heat(BATCH, 4, 1024)
        await bench.waits(B, of_kind(0), 1)
        bench.engine.ran.clear()
        bench.engine.gate.clear()
        asked = []
        for each in ((batch(*[1.0] * 1024), A), (of_kind(0), B)):
            asked.append(asyncio.create_task(bench.scheduler.evaluate(*each)))
            await asyncio.sleep(1.0)
        assert bench.engine.ran == [points, None]
        bench.engine.gate.set()
        await asyncio.gather(*asked)

    run(main())


def test_who_shares_makes_way() -> None:
    """The workers are told once that they are shared; never, as long as one tenant calls."""

    async def main() -> None:
        bench = Bench(lambda points: 1e-3 * (points or 1))
        bench.heat(BATCH, 8, 64)
        for _ in range(3):
            await bench.scheduler.evaluate(batch(*[1.0] * 64), A)
        assert bench.engine.made_way == 0
        for _ in range(3):
            await bench.scheduler.evaluate(of_kind(0), B)
            await bench.scheduler.evaluate(batch(*[1.0] * 64), A)
        assert bench.engine.made_way == 1

    run(main())


def test_alone_nothing_is_cut() -> None:
    """One tenant's batch runs whole on one worker: there is nobody to wait for it."""

    async def main() -> None:
        bench = Bench(lambda points: 1e-3 * (points or 1))
        bench.heat(BATCH, 8, 64)
        await bench.scheduler.evaluate(batch(*[1.0] * 64), A)
        assert bench.engine.ran == [64]

    run(main())


@pytest.mark.parametrize("weight", [1.0, 3.0])
@pytest.mark.parametrize("workers", [1, 2])
def test_time_is_shared_by_weight(weight: float, workers: int) -> None:
    """Of two floods each has device time by its weight, whatever its runs take and however many call."""

    async def main() -> None:
        bench = Bench(
            lambda points: 8e-3 if points is None else 2e-3 * points,
            Tenant("a"),
            Tenant("b", weight=weight),
            workers=workers,
        )
        bench.heat(BATCH, 1, 2, 4)
        short = [Evaluation(BATCH, batch(1.0, 2.0).inputs, 2)]
        async with bench.flood(A, 40, *map(of_kind, range(8))), bench.flood(B, 80, *short):
            await asyncio.sleep(0.2)
            before = bench.had("a"), bench.had("b")
            await asyncio.sleep(4.0)
            had = bench.had("a") - before[0], bench.had("b") - before[1]
        assert had[1] / had[0] == pytest.approx(weight, rel=0.05)
        assert sum(had) == pytest.approx(4.0 * workers, rel=0.05)

    run(main())


def test_who_was_idle_has_no_more_than_its_share() -> None:
    """After a pause a tenant shares from then on; what it did not use before is gone."""

    async def main() -> None:
        bench = Bench(lambda _: 5e-3)
        await bench.waits(B, of_kind(0), 1)
        async with bench.flood(A, 20, of_kind(1), of_kind(2)):
            await asyncio.sleep(2.0)
            before = bench.had("a"), bench.had("b")
            async with bench.flood(B, 20, of_kind(3), of_kind(4)):
                await asyncio.sleep(1.0)
                had = bench.had("a") - before[0], bench.had("b") - before[1]
        assert had[0] == pytest.approx(had[1], rel=0.1)

    run(main())


def test_tenants_travel_together() -> None:
    """Points of several tenants run as one batch, whose time is theirs by points."""

    async def main() -> None:
        bench = Bench(lambda _: 2e-3)
        bench.heat(POINT, 0, 16)
        await bench.scheduler.evaluate(of_kind(0), B)
        held = [asyncio.create_task(bench.scheduler.evaluate(of_kind(number), A)) for number in range(3)]
        await asyncio.sleep(1e-4)
        asked = [(point(1.0), A)] * 2 + [(point(2.0), B)] * 6
        tasks = [asyncio.create_task(bench.scheduler.evaluate(*each)) for each in asked]
        outcomes = await asyncio.gather(*tasks)
        await asyncio.gather(*held)
        assert bench.engine.ran == [None] * 4 + [16]
        assert [values(outcome)[0, 0] for outcome in outcomes] == [1.0] * 2 + [4.0] * 6
        assert bench.had("a") == pytest.approx(3 * 2e-3 + 0.5e-3)
        assert bench.had("b") == pytest.approx(2e-3 + 1.5e-3)

    run(main())


@pytest.mark.parametrize("workers", [1, 2])
def test_a_flood_in_the_same_lane(workers: int) -> None:
    """Who travels with a flood does not wait for all of it: runs of several stay short."""

    async def main() -> None:
        bench = Bench(lambda points: 1e-3 * (points or 1) ** 0.5, workers=workers)
        bench.heat(POINT, 0, *(1 << power for power in range(7)))
        async with bench.flood(A, 300, point(1.0)):
            await bench.waits(B, point(2.0), 1)
            took = await bench.waits(B, point(2.0))
        assert max(each or 1 for each in bench.engine.ran[-50:]) == 4
        assert took[-1] <= 1e-3 + 2 * TILE_SECONDS

    run(main())


def test_a_lane_is_not_left_blocked() -> None:
    """Where the only one who waits in a lane goes, the next one is served, however it comes."""

    async def main() -> None:
        bench = Bench(lambda _: 1e-4)
        bench.heat(POINT, 0, 4)
        for _ in range(40):
            tasks = [asyncio.create_task(bench.scheduler.evaluate(point(1.0), A)) for _ in range(2)]
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            tasks[1].cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            assert not bench.batcher._lanes.of(POINT).blocked
            async with asyncio.timeout(1.0):
                await bench.scheduler.evaluate(batch(1.0, 2.0, 3.0), B)

    run(main())


async def order_of(bench: Bench, *asked: tuple[float, Ticket]) -> list[float]:
    """In which order calls are answered that come while the worker is busy."""
    order: list[float] = []

    async def ask(number: int, name: float, ticket: Ticket) -> None:
        await bench.scheduler.evaluate(of_kind(number), ticket)
        order.append(name)

    held = [asyncio.create_task(bench.scheduler.evaluate(of_kind(0), A)) for _ in range(2)]
    await asyncio.sleep(1e-3)
    tasks = [asyncio.create_task(ask(number + 1, *each)) for number, each in enumerate(asked)]
    await asyncio.gather(*tasks, *held)
    return order


def test_priorities() -> None:
    """Within a tenant the higher priority goes first, and among equals who came first; others have theirs."""

    async def main() -> None:
        bench = Bench(lambda _: 10e-3)
        low, normal, high = (Ticket("a", priority) for priority in (-1, 0, 1))
        await bench.scheduler.evaluate(of_kind(0), high)
        order = await order_of(bench, (1, low), (2, normal), (3, low), (4, high), (5, normal), (6, high))
        assert order == [4, 6, 2, 5, 1, 3]
        order = await order_of(bench, (1, high), (2, high), (3, Ticket("b", -1)), (4, high))
        assert order.index(3) <= 1

    run(main())


def test_low_priority_is_not_for_ever() -> None:
    """What has waited for long goes before what came lately, be that of a higher priority."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        bench = Bench(lambda _: 10e-3)
        await bench.scheduler.evaluate(of_kind(0), Ticket("a", 1))
        async with bench.flood(Ticket("a", 1), 20, *map(of_kind, range(10, 30))):
            await asyncio.sleep(0.1)
            began = loop.time()
            await bench.scheduler.evaluate(of_kind(1), Ticket("a", 0))
            assert 4.5 < loop.time() - began < 6.0

    run(main())


def test_what_is_late_is_not_sent() -> None:
    """Whose deadline passes while it waits is told so, and no worker hears of it."""

    async def main() -> None:
        bench = Bench(lambda _: 30e-3)
        await bench.waits(B, of_kind(0), 1)
        held = [asyncio.create_task(bench.scheduler.evaluate(of_kind(0), A)) for _ in range(3)]
        await asyncio.sleep(0)
        late = Ticket("b", deadline=time.monotonic())
        in_time = Ticket("b", deadline=time.monotonic() + 60.0)
        tasks = [asyncio.create_task(bench.scheduler.evaluate(of_kind(1), each)) for each in (late, in_time)]
        error, outcome = await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*held)
        assert isinstance(error, DeadlineError)
        assert error.reason is Reason.DEADLINE_EXCEEDED
        assert not isinstance(outcome, BaseException)
        assert len(bench.engine.ran) == 1 + 3 + 1
        assert bench.accounts.of("b").figures.late == 1

    run(main())


def test_who_goes_frees_its_place() -> None:
    """Calls that are cancelled leave the queue and the worker at once: the next one starts."""

    async def main() -> None:
        bench = Bench(lambda _: 10.0)
        bench.heat(POINT, 0, 16)
        loop = asyncio.get_running_loop()
        await bench.scheduler.evaluate(of_kind(0), B)
        tasks = [asyncio.create_task(bench.scheduler.evaluate(point(1.0), A)) for _ in range(40)]
        await asyncio.sleep(0.5)
        for task in tasks:
            task.cancel()
        began = loop.time()
        await bench.scheduler.evaluate(of_kind(0), B)
        assert loop.time() - began == pytest.approx(10.0)
        await asyncio.gather(*tasks, return_exceptions=True)
        figures = bench.accounts.of("a").figures
        assert (figures.queued, figures.queued_bytes, bench.batcher._queue.nbytes) == (0, 0, 0)
        assert bench.batcher._hand.runs == 0

    run(main())


@pytest.mark.parametrize("rounds", range(12))
def test_who_goes_while_its_run_starts(rounds: int) -> None:
    """In whichever moment a caller goes, its place is free afterwards."""

    async def main() -> None:
        bench = Bench(lambda _: 3e-3, workers=2)
        await bench.scheduler.evaluate(of_kind(0), B)
        bench.engine.gate.clear()
        held = [asyncio.create_task(bench.scheduler.evaluate(of_kind(number), A)) for number in (1, 2)]
        await asyncio.sleep(0)
        task = asyncio.create_task(bench.scheduler.evaluate(of_kind(3), A))
        await asyncio.sleep(0.1)
        assert bench.accounts.of("a").figures.queued == 1
        held[0].cancel()
        for _ in range(rounds):
            await asyncio.sleep(0)
        task.cancel()
        bench.engine.gate.set()
        outcomes = await asyncio.gather(task, *held, return_exceptions=True)
        assert [isinstance(outcome, asyncio.CancelledError) for outcome in outcomes] == [True, True, False]
        assert (bench.batcher._hand.runs, bench.batcher._lanes.of(KINDS[3]).running) == (0, 0)
        assert not bench.accounts.turns.contenders

    run(main())


def test_a_wide_batch_that_is_given_up() -> None:
    """The tiles of a batch whose caller goes are dropped with it."""

    async def main() -> None:
        bench = Bench(lambda points: 1e-3 * (points or 1))
        bench.heat(BATCH, 4, 1024)
        await bench.waits(B, of_kind(0), 1)
        task = asyncio.create_task(bench.scheduler.evaluate(batch(*[1.0] * 1024), A))
        await asyncio.sleep(0.02)
        assert bench.accounts.of("a").figures.queued > 100
        task.cancel()
        await asyncio.sleep(0.02)
        assert bench.accounts.of("a").figures.queued == 0
        assert bench.batcher._hand.runs == 0
        assert len(bench.engine.ran) < 10

    run(main())


def test_a_piece_that_fails() -> None:
    """Where a tile fails, the rest of its batch is dropped, and the error is the batch's."""

    async def main() -> None:
        bench = Bench(lambda points: 1e-3 * (points or 1))
        bench.heat(BATCH, 4, 1024)
        await bench.waits(B, of_kind(0), 1)
        with pytest.raises(Exception, match="a value is negative"):
            await bench.scheduler.evaluate(batch(-1.0, *[1.0] * 1023), A)
        await asyncio.sleep(0.1)
        assert len(bench.engine.ran) < 10
        assert bench.accounts.of("a").figures.queued == 0

    run(main())


def test_shed() -> None:
    """What a tenant queued last is dropped first, with the error; nothing is dropped that was sent."""

    async def main() -> None:
        bench = Bench(lambda _: 10e-3)
        tasks = [asyncio.create_task(bench.scheduler.evaluate(of_kind(number), A)) for number in range(12)]
        await asyncio.sleep(1e-3)
        account = bench.accounts.of("a")
        queued = account.figures.queued
        assert queued == 12 - 8
        error = service_error(Reason.OVERLOADED, "full")
        assert [bench.batcher.shed(account, error) for _ in range(queued + 1)] == [True] * queued + [False]
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert [isinstance(outcome, PressureError) for outcome in outcomes] == [False] * 8 + [True] * 4

    run(main())


Step = tuple[int, int, int, int | None]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 5), st.integers(0, 8), st.none() | st.integers(0, 30)),
        max_size=60,
    ),
    st.integers(1, 3),
)
def test_everybody_is_answered(steps: list[Step], workers: int) -> None:
    """Whoever comes and goes when, with whatever: the others have their results, and nothing is left over."""

    async def main() -> None:
        bench = Bench(lambda points: 1e-3 * (points or 1), workers=workers)
        bench.heat(POINT, 0, 4, 32)
        made: list[Callable[[int], Evaluation]] = [
            lambda number: point(float(number)),
            lambda number: batch(*map(float, range(number))),
            lambda number: batch(*[float(number)] * 40),
            lambda number: Evaluation(KINDS[number], point(float(number)).inputs),
            lambda number: Evaluation(replace(POINT, digest=f"new{number}"), point(float(number)).inputs),
            lambda number: batch(*[float(number)] * 100),
        ]
        asked = []
        for number, (tenant, what, pause, patience) in enumerate(steps):
            evaluation = made[what](number)
            ticket = Ticket("abc"[tenant], number % 3 - 1)
            task = asyncio.create_task(bench.scheduler.evaluate(evaluation, ticket))
            if patience is not None:
                asyncio.get_running_loop().call_later(patience * 5e-4, task.cancel)
            asked.append((evaluation, patience, task))
            for _ in range(pause):
                await asyncio.sleep(0)
            await asyncio.sleep(1e-4 * pause)
        async with asyncio.timeout(60.0):
            outcomes = await asyncio.gather(*(task for *_, task in asked), return_exceptions=True)
        for (evaluation, patience, _), outcome in zip(asked, outcomes, strict=True):
            if isinstance(outcome, asyncio.CancelledError):
                assert patience is not None
            else:
                assert not isinstance(outcome, BaseException)
                given = np.frombuffer(evaluation.inputs[0])
                np.testing.assert_array_equal(values(outcome).reshape(-1), given**2)
        await asyncio.sleep(1.0)
        assert_nothing_left(bench)

    run(main())


def assert_nothing_left(bench: Bench) -> None:
    """Nothing waits, runs or is counted any more."""
    batcher = bench.batcher
    assert (batcher._hand.runs, batcher._queue.nbytes, bench.scheduler.in_flight) == (0, 0, 0)
    assert batcher._hand.seconds == pytest.approx(0.0, abs=1e-9)
    assert not bench.accounts.turns.contenders
    assert batcher.gate._taken == 0
    for lane in batcher._lanes._by_content.values():
        assert (lane.waiting, lane.running, lane.blocked, lane.alone) == (0, 0, False, False)
    for account in bench.accounts:
        figures = account.figures
        assert (figures.in_flight, figures.queued, figures.queued_bytes, account.preparing) == (0, 0, 0, 0)
