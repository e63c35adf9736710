"""The batcher: who goes when, with whom, in how many pieces; and what becomes of failures."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import numpy as np
import pytest
from squaring import POINT, SquaringEngine, batch, point, values

from pullback.program.elements import ElementType
from pullback.program.tensors import TensorType
from pullback_server.errors import ExecutionError, PressureError, Reason, service_error
from pullback_server.model.evaluation import Evaluation, Kind, Outcome
from pullback_server.model.quantities import Quantity, Want
from pullback_server.scheduling.batcher import Batcher, _twin
from pullback_server.scheduling.lane import Joining

JOINING = Joining(64, 1 << 20)


def outcomes_of(batcher: Batcher, evaluations: list[Evaluation]) -> list[asyncio.Task[Outcome]]:
    """Asks for evaluations, one after the other, without waiting."""
    return [asyncio.create_task(batcher.evaluate(evaluation)) for evaluation in evaluations]


async def settled() -> None:
    """Lets everything run that can."""
    for _ in range(100):
        await asyncio.sleep(0)


def heat(engine: SquaringEngine, batcher: Batcher, kind: Kind, *buckets: int) -> None:
    """Makes buckets of a kind warm, as runs would."""
    lane = batcher._lanes.of(kind)
    for bucket in buckets:
        engine.heat(lane.kind_of(bucket), bucket or None)
        lane.know(bucket)


async def test_alone_when_idle(engine: SquaringEngine, batcher: Batcher) -> None:
    """Nobody waits for company while a worker is idle."""
    for first in (1.0, 2.0, 3.0):
        outcome = await batcher.evaluate(point(first))
        assert values(outcome)[0, 0] == first**2
        assert outcome.timing.queue == 0
    assert engine.ran == [None, None, None]


async def test_together_when_busy(engine: SquaringEngine, batcher: Batcher) -> None:
    """While one is in hand, those that come wait, then go as one padded batch."""
    heat(engine, batcher, POINT, 0, 16)
    engine.gate.clear()
    tasks = outcomes_of(batcher, [point(float(first)) for first in range(11)])
    await settled()
    assert engine.ran == [None]
    engine.gate.set()
    outcomes = await asyncio.gather(*tasks)
    assert [values(outcome)[0, 0] for outcome in outcomes] == [float(first) ** 2 for first in range(11)]
    assert {outcome.results[0][0].type.shape for outcome in outcomes} == {(2, 3)}
    assert engine.ran == [None, 16]
    assert [outcome.timing.batch for outcome in outcomes] == [0, *[16] * 10]
    assert [outcome.timing.padding for outcome in outcomes] == [0, *[6] * 10]
    assert all(outcome.timing.queue > 0 for outcome in outcomes[1:])
    assert (batcher.figures.joined, batcher.figures.padding) == (10, 6)


async def test_points_and_batches_travel_together(engine: SquaringEngine, batcher: Batcher) -> None:
    """Small batches are joined with single points, and keep their axis."""
    heat(engine, batcher, POINT, 0, 16)
    engine.gate.clear()
    held = outcomes_of(batcher, [point(0.0)])
    tasks = outcomes_of(batcher, [point(3.0), batch(4.0, 5.0), batch(6.0), point(7.0)])
    await settled()
    engine.gate.set()
    outcomes = [values(outcome) for outcome in await asyncio.gather(*tasks)]
    await asyncio.gather(*held)
    assert [outcome.shape for outcome in outcomes] == [(2, 3), (2, 2, 3), (1, 2, 3), (2, 3)]
    assert [outcome[0].max() for outcome in outcomes[1:3]] == [16.0, 36.0]
    assert outcomes[1][1].tolist() == [[25.0] * 3] * 2
    assert engine.ran == [None, 16]


async def test_only_equal_shared_inputs_travel_together(engine: SquaringEngine, batcher: Batcher) -> None:
    """Batches whose shared inputs differ run apart, in the order of each."""
    kind = Kind(
        "f",
        (Want(Quantity.VALUE),),
        (TensorType(ElementType.F64, ()), TensorType(ElementType.F64, (2,))),
        batched=(True, False),
        result_bytes=8,
    )

    def ask(value: float, shared: float) -> Evaluation:
        return Evaluation(kind, (np.array([value]).tobytes(), np.array([shared, 0.0]).tobytes()), 1)

    heat(engine, batcher, kind, 1, 4)
    engine.gate.clear()
    held = outcomes_of(batcher, [ask(0.0, 0.0)])
    tasks = outcomes_of(batcher, [ask(float(number), number % 2 * 100.0) for number in range(6)])
    await settled()
    engine.gate.set()
    outcomes = [values(outcome).item() for outcome in await asyncio.gather(*tasks)]
    await asyncio.gather(*held)
    assert outcomes == [0.0, 101.0, 4.0, 109.0, 16.0, 125.0]
    assert engine.ran == [1, 4, 4]


async def test_kinds_do_not_wait_for_each_other(engine: SquaringEngine, batcher: Batcher) -> None:
    """Each kind has places of its own."""
    other = Kind("g", POINT.wants, POINT.arguments)
    heat(engine, batcher, POINT, 0)
    heat(engine, batcher, other, 0)
    engine.gate.clear()
    tasks = outcomes_of(batcher, [point(1.0)] * 3 + [Evaluation(other, point(2.0).inputs)])
    await settled()
    assert engine.ran == [None, None]
    engine.gate.set()
    await asyncio.gather(*tasks)


async def test_joining_switched_off(engine: SquaringEngine) -> None:
    """With room for one point, everything runs by itself."""
    batcher = Batcher(engine, Joining(0, 0))
    heat(engine, batcher, POINT, 0, 16)
    tasks = outcomes_of(batcher, [point(1.0)] * 20)
    await asyncio.gather(*tasks)
    assert engine.ran == [None] * 20
    assert engine.warmed == []


async def test_the_innocent_are_answered(engine: SquaringEngine, batcher: Batcher) -> None:
    """What fails together is run once more, each by itself; only the guilty gets the error."""
    heat(engine, batcher, POINT, 0, 16)
    engine.gate.clear()
    held = outcomes_of(batcher, [point(0.0)])
    tasks = outcomes_of(batcher, [point(1.0), point(-1.0), point(2.0)])
    await settled()
    engine.gate.set()
    good, bad, last = await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.gather(*held)
    assert (values(good)[0, 0], values(last)[0, 0]) == (1.0, 4.0)
    assert isinstance(bad, ExecutionError)
    assert engine.ran == [None, 16, None, None, None]
    assert engine.company == [(False, False), (True, False), *[(False, False)] * 3]
    assert batcher.figures.repeated == 3


async def test_the_innocent_are_answered_after_a_death(engine: SquaringEngine, batcher: Batcher) -> None:
    """Where a worker dies of a run, each of those in it is run once more, with nobody else anywhere."""
    engine.reason = Reason.WORKER_DIED
    heat(engine, batcher, POINT, 0, 16)
    engine.gate.clear()
    held = outcomes_of(batcher, [point(0.0)])
    tasks = outcomes_of(batcher, [point(-1.0), point(2.0)])
    await settled()
    engine.gate.set()
    bad, good = await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.gather(*held)
    assert isinstance(bad, ExecutionError)
    assert values(good)[0, 0] == 4.0
    assert engine.company == [(False, False), (True, False), (False, True), (False, True)]


async def test_errors_of_the_server_are_everyones(engine: SquaringEngine, batcher: Batcher) -> None:
    """Where no member can be the cause, nobody is run again."""
    engine.reason = Reason.OVERLOADED
    heat(engine, batcher, POINT, 0, 16)
    engine.gate.clear()
    held = outcomes_of(batcher, [point(0.0)])
    tasks = outcomes_of(batcher, [point(1.0), point(-1.0)])
    await settled()
    engine.gate.set()
    errors = await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.gather(*held)
    assert all(isinstance(error, PressureError) for error in errors)
    assert errors[0] is not errors[1]
    assert engine.ran == [None, 16]


def test_errors_with_any_names() -> None:
    """Each gets the error with all that a worker says of it, whatever it calls that."""
    error = service_error(Reason.EXECUTION_FAILED, "no")
    error.metadata.update({"message": "a", "reason": "b", "self": "c"})
    twin = _twin(error)
    assert isinstance(twin, ExecutionError)
    assert twin is not error
    assert (twin.message, twin.metadata) == ("no", error.metadata)


async def test_what_is_kept_apart(engine: SquaringEngine, batcher: Batcher) -> None:
    """A program that is left running too often runs alone, with nobody, and takes no place from others."""
    other = replace(point(1.0), kind=replace(POINT, digest="other"))
    heat(engine, batcher, POINT, 0, 16)
    heat(engine, batcher, other.kind, 0)
    engine.apart.add(POINT.digest)
    engine.gate.clear()
    tasks = outcomes_of(batcher, [point(2.0), point(3.0), other, point(4.0)])
    await settled()
    assert sorted(engine.company) == [(False, False), *[(False, True)] * 3]
    assert batcher._hand.runs == 1
    engine.gate.set()
    assert [values(outcome)[0, 0] for outcome in await asyncio.gather(*tasks)] == [4.0, 9.0, 1.0, 16.0]
    assert batcher._hand.runs == 0


async def test_cancelled_members_disturb_nobody(engine: SquaringEngine, batcher: Batcher) -> None:
    """Who goes away while it waits is not sent; who goes away while it runs is dropped."""
    heat(engine, batcher, POINT, 0, 16)
    engine.gate.clear()
    held = outcomes_of(batcher, [point(0.0)])
    tasks = outcomes_of(batcher, [point(float(first)) for first in range(5)])
    await settled()
    tasks[0].cancel()
    tasks[2].cancel()
    held[0].cancel()  # frees a place: the others are sent
    await settled()
    assert engine.ran == [None, 16]
    tasks[4].cancel()
    engine.gate.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(outcome, asyncio.CancelledError) for outcome in outcomes] == [1, 0, 1, 0, 1]
    assert [values(outcomes[number])[0, 0] for number in (1, 3)] == [1.0, 9.0]


async def test_nothing_is_sent_for_nobody(engine: SquaringEngine, batcher: Batcher) -> None:
    """If all who wait have gone, nothing runs for them."""
    heat(engine, batcher, POINT, 0)
    engine.gate.clear()
    held = outcomes_of(batcher, [point(0.0)])
    tasks = outcomes_of(batcher, [point(1.0)] * 3)
    await settled()
    for task in tasks:
        task.cancel()
    engine.gate.set()
    await asyncio.gather(*held)
    await settled()
    assert engine.ran == [None]


async def test_cold_buckets_take_no_place(engine: SquaringEngine, batcher: Batcher) -> None:
    """While a new size compiles, what is warm goes on at once."""
    heat(engine, batcher, POINT, 0)
    engine.gate.clear()
    compiling = outcomes_of(batcher, [batch(*[0.0] * 1000)] * 3)
    await settled()
    tasks = outcomes_of(batcher, [point(1.0)])
    await settled()
    assert engine.ran == [1000, 1000, 1000, None]
    engine.gate.set()
    await asyncio.gather(*compiling, *tasks)


async def test_a_cold_size_is_served_by_warm_ones(engine: SquaringEngine, batcher: Batcher) -> None:
    """A batch whose bucket is cold is padded into a larger one, and compiles nothing for that."""
    heat(engine, batcher, POINT, 64)
    outcome = await batcher.evaluate(batch(1.0, 2.0, 3.0))
    assert values(outcome)[:, 0, 0].tolist() == [1.0, 4.0, 9.0]
    assert (outcome.timing.batch, outcome.timing.padding, outcome.timing.compile) == (64, 61, 0.0)
    assert engine.ran == [64]


async def test_a_cold_size_is_cut(engine: SquaringEngine, batcher: Batcher) -> None:
    """A batch that fits into nothing warm is cut, its last piece padded, and put together in order."""
    heat(engine, batcher, POINT, 4)
    outcome = await batcher.evaluate(batch(*map(float, range(10))))
    assert values(outcome)[:, 1, 2].tolist() == [float(first) ** 2 for first in range(10)]
    assert engine.ran == [4, 4, 4]
    assert batcher.figures.cut == 1


async def test_a_size_that_was_cut_before_is_compiled(engine: SquaringEngine, batcher: Batcher) -> None:
    """One request of a size may be an accident, two are not: later ones run whole."""
    heat(engine, batcher, POINT, 4)
    for _ in range(2):
        await batcher.evaluate(batch(*[1.0] * 10))
        await settled()
    assert engine.warmed == [16]
    engine.ran.clear()
    assert (await batcher.evaluate(batch(*[1.0] * 10))).timing.compile == 0
    assert engine.ran == [10]


async def test_a_cut_batch_fails_as_one(engine: SquaringEngine, batcher: Batcher) -> None:
    """The error of a piece is that of the batch, and what else waits is not sent."""
    heat(engine, batcher, POINT, 4)
    with pytest.raises(ExecutionError):
        await batcher.evaluate(batch(*[1.0] * 9, -1.0, *[1.0] * 20))
    await settled()
    assert (await batcher.evaluate(batch(1.0, 2.0, 3.0, 4.0))).timing.compile == 0


async def test_a_cold_point_runs_in_a_batch(engine: SquaringEngine, batcher: Batcher) -> None:
    """A point whose own executable is cold is padded into a batch, and loses the axis again."""
    heat(engine, batcher, POINT, 4)
    assert values(await batcher.evaluate(point(3.0)))[0, 0] == 9.0
    assert engine.ran == [4]


async def test_a_batch_of_one_runs_as_a_point(engine: SquaringEngine, batcher: Batcher) -> None:
    """It gets its axis back."""
    heat(engine, batcher, POINT, 0)
    outcome = await batcher.evaluate(batch(5.0))
    assert values(outcome)[:, 0, 0].tolist() == [25.0]
    assert engine.ran == [None]


async def test_what_is_wanted_often_is_compiled(engine: SquaringEngine, batcher: Batcher) -> None:
    """A crowd has the bucket compiled that would hold it, in the background; then it goes together."""
    heat(engine, batcher, POINT, 0)
    for _ in range(4):
        await asyncio.gather(*outcomes_of(batcher, [point(1.0)] * 30))
        await settled()
    assert engine.warmed
    assert max(engine.warmed) == 32
    engine.ran.clear()
    await asyncio.gather(*outcomes_of(batcher, [point(1.0)] * 30))
    assert engine.ran == [32]
    assert batcher.figures.warmed == len(engine.warmed)


async def crowd(engine: SquaringEngine, batcher: Batcher) -> list[asyncio.Task[Outcome]]:
    """Twelve points that come after many others, in two groups, while the gate is closed."""
    heat(engine, batcher, POINT, 0, 16)
    for _ in range(3):
        await asyncio.gather(*outcomes_of(batcher, [point(1.0)] * 8))
    engine.ran.clear()
    engine.gate.clear()
    tasks = outcomes_of(batcher, [point(1.0)] * 3)
    await settled()
    tasks += outcomes_of(batcher, [point(1.0)] * 9)
    await settled()
    return tasks


async def test_a_crowd_of_short_runs_has_one_place(engine: SquaringEngine, batcher: Batcher) -> None:
    """Where runs are short and many come, the next run starts when one has ended, with all who came."""
    tasks = await crowd(engine, batcher)
    assert engine.ran == [16]
    engine.gate.set()
    await asyncio.gather(*tasks)
    assert engine.ran == [16, 16]


async def test_a_crowd_that_comes_one_by_one(engine: SquaringEngine, batcher: Batcher) -> None:
    """Where runs end before the next evaluation is read, a look now and then finds out that many come."""
    heat(engine, batcher, POINT, 0, 16, 64)
    tasks: list[asyncio.Task[Outcome]] = []
    for _ in range(400):
        tasks += outcomes_of(batcher, [point(1.0)])
        for _ in range(4):
            await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    assert engine.ran[:10] == [None] * 10
    assert engine.ran.count(64) >= 3


async def test_few_do_not_wait_for_company(engine: SquaringEngine, batcher: Batcher) -> None:
    """Those who come alone are not held up, but for a look now and then."""
    heat(engine, batcher, POINT, 0, 16)
    rounds = []
    for _ in range(64):
        task = asyncio.create_task(batcher.evaluate(point(1.0)))
        for count in range(100):
            if task.done():
                rounds.append(count)
                break
            await asyncio.sleep(0)
    assert engine.ran == [None] * 64
    assert sorted(rounds)[:60] == [min(rounds)] * 60
    assert max(rounds) < 80


async def test_a_crowd_of_long_runs_keeps_the_worker_busy(engine: SquaringEngine, batcher: Batcher) -> None:
    """Where runs take longer, the next one waits in the worker's socket."""
    engine.seconds = lambda _: 1e-3
    tasks = await crowd(engine, batcher)
    assert engine.ran == [16, 16]
    engine.gate.set()
    await asyncio.gather(*tasks)


async def test_what_cannot_be_compiled_is_left(engine: SquaringEngine, batcher: Batcher) -> None:
    """A bucket that the compiler refuses is not tried again, and everyone is served without it."""
    engine.refuses = {2, 4, 8, 16, 32}
    heat(engine, batcher, POINT, 0)
    for _ in range(5):
        outcomes = await asyncio.gather(*outcomes_of(batcher, [point(1.0)] * 30))
        assert len(outcomes) == 30
        await settled()
    assert len(engine.warmed) == len(set(engine.warmed))
    assert set(engine.ran) == {None}


async def test_a_heavy_batch_is_spread_over_workers(engine: SquaringEngine, batcher: Batcher) -> None:
    """A batch that takes long is cut into equal pieces once all workers are warm for them."""
    engine.count = 4
    engine.seconds = lambda points: 1e-3 * (points or 1)
    numbers = [float(number) for number in range(64)]
    for _ in range(7):
        outcome = await batcher.evaluate(batch(*numbers))
        await settled()
        assert values(outcome)[:, 0, 0].tolist() == [number**2 for number in numbers]
    assert engine.warmed == [16]
    assert engine.ran[-4:] == [16] * 4


async def test_no_points(engine: SquaringEngine, batcher: Batcher) -> None:
    """A batch of no points has results of no points."""
    outcome = await batcher.evaluate(Evaluation(batch(1.0).kind, (b"",), 0))
    assert values(outcome).shape == (0, 2, 3)
    assert engine.ran == [0]
