"""Tensors in shared memory, with real processes: who holds what, and that all of it comes back."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import numpy as np
import pytest
import uvloop
from sharing_memory import mapped_memory

from pullback.program.elements import ElementType
from pullback.program.tensors import TensorType
from pullback_server.engine.arena import Arena
from pullback_server.engine.pool import LocalPool
from pullback_server.errors import Reason, ServiceError
from pullback_server.model.evaluation import Data, Evaluation, Kind, Outcome
from pullback_server.model.memory import Place, Segment
from pullback_server.model.quantities import Quantity, Want

MIB = 1 << 20
Pool = Callable[..., AbstractAsyncContextManager[LocalPool]]
pytestmark = [
    pytest.mark.usefixtures("small_heap"),
    pytest.mark.skipif(sys.platform != "linux", reason="memory without a name is Linux's"),
]


def kind(digest: str, *sizes: int, predicted: bool = True) -> Kind:
    """A kind with arguments of these numbers of doubles, which are its results as well."""
    types = tuple(TensorType(ElementType.F64, (size,)) for size in sizes)
    return Kind(digest, (Want(Quantity.VALUE),), types, result_bytes=8 * sum(sizes) if predicted else 0)


def doubles(*sizes: int) -> list[np.ndarray]:
    """Arrays of these sizes, all different."""
    return [np.arange(size) + 0.5 * number for number, size in enumerate(sizes)]


def echo(digest: str, arrays: Sequence[np.ndarray], **options: bool) -> Evaluation:
    """An evaluation that gives the arrays back."""
    return Evaluation(kind(digest, *map(len, arrays), **options), tuple(array.tobytes() for array in arrays))


def found(outcome: Outcome) -> list[np.ndarray]:
    """The results as arrays where they lie."""
    return [np.frombuffer(leaf.data) for leaf in outcome.results[0]]


async def freed(arena: Arena) -> None:
    """Waits until nothing is in use, for at most ten seconds."""
    async with asyncio.timeout(10):
        while gc.collect() >= 0 and arena.in_use:  # noqa: ASYNC110 -- no event tells what is collected
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("predicted", [True, False])
@pytest.mark.parametrize("size", [MIB // 8, 64 * MIB])
async def test_large_and_small(pool: Pool, size: int, *, predicted: bool) -> None:
    """Large tensors and small ones come back as they went, whether they find room or not."""
    arena = Arena(size, MIB)
    arrays = doubles(5, 100_000, 0, 4095, 4096, 30_001)
    async with pool(arena=arena) as engine:
        asked = echo("echo", arrays, predicted=predicted)
        for _ in range(3):
            outcome = await engine.evaluate(asked)
            for array, expected in zip(found(outcome), arrays, strict=True):
                assert np.array_equal(array, expected)
        results = [array for array in found(outcome) if array.nbytes >= 32768]
        assert arena.peak > 0
        if size == 64 * MIB:
            assert all(np.shares_memory(arena.segment.memory, array) for array in results)
            assert all(array.ctypes.data % 64 == 0 for array in results)
            del outcome
            assert arena.in_use >= sum(array.nbytes for array in results)
            results.clear()
            del array
        else:
            del outcome
        await freed(arena)


def test_another_event_loop(pool: Pool) -> None:
    """All of it works under uvloop, too, which the server runs on where it is installed."""
    arrays = doubles(5, 100_000, 3_000_000)

    async def work() -> None:
        for arena in (Arena(64 * MIB, MIB), None):
            async with pool(arena=arena) as engine:
                outcomes = await asyncio.gather(*(engine.evaluate(echo("echo", arrays)) for _ in range(3)))
                assert all(all(map(np.array_equal, found(outcome), arrays)) for outcome in outcomes)
                with pytest.raises(ServiceError):
                    await engine.evaluate(echo("babble", arrays))

    uvloop.run(work())


async def test_results_stay_until_nobody_looks(pool: Pool) -> None:
    """Results that somebody still holds are not written over by the next ones."""
    arena, held = Arena(64 * MIB, MIB), []
    async with pool(arena=arena) as engine:
        sent = echo("echo", doubles(50_000))
        for number in range(5):
            array = np.full(50_000, float(number))
            held.append(await engine.evaluate(Evaluation(sent.kind, (array.tobytes(),))))
        assert [found(outcome)[0].max() for outcome in held] == [0.0, 1.0, 2.0, 3.0, 4.0]
        held.clear()
        await freed(arena)


async def test_cancelled_callers(pool: Pool) -> None:
    """What cancelled calls took is kept while the worker has it in hand, and then comes back."""
    arena = Arena(64 * MIB, MIB)
    async with pool(arena=arena) as engine:
        asked = echo("slow-0.5", doubles(50_000))
        calls = [asyncio.create_task(engine.evaluate(asked)) for _ in range(4)]
        await asyncio.sleep(0.2)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        calls.clear()
        del call  # it holds its frames, and they what it took
        gc.collect()
        assert arena.in_use >= 4 * 2 * 400_000
        assert engine.workers[0].in_flight == 4
        await freed(arena)
        assert engine.workers[0].in_flight == 0
        assert engine.workers[0].deaths == 0


@pytest.mark.parametrize("digest", ["slow-0.5", "refuse"])
async def test_errors_hold_nothing(pool: Pool, digest: str) -> None:
    """What a call took that fails comes back, though its error is held, and with it the call's frames."""
    arena = Arena(64 * MIB, MIB)
    async with pool(arena=arena) as engine:
        with pytest.raises(ServiceError) as caught:
            await engine.evaluate(echo(digest, doubles(50_000)), time.monotonic() + 0.2)
        async with asyncio.timeout(10):
            while arena.in_use:  # noqa: ASYNC110 -- no event tells what is given back
                await asyncio.sleep(0.02)
        assert arena.peak >= 400_000
        assert caught.value.__traceback__ is not None


async def test_worker_killed_in_the_middle(pool: Pool) -> None:
    """A killed worker's requests are repeated on the next, and all that they took comes back."""
    arena = Arena(64 * MIB, MIB)
    arrays = doubles(50_000, 7)
    async with pool(arena=arena) as engine:
        calls = [asyncio.create_task(engine.evaluate(echo("slow-0.6", arrays))) for _ in range(3)]
        await asyncio.sleep(0.2)
        process = engine.workers[0].process
        assert process is not None
        os.kill(process, signal.SIGKILL)
        for outcome in await asyncio.gather(*calls):
            assert all(map(np.array_equal, found(outcome), arrays))
        calls.clear()
        del outcome
        await freed(arena)


async def test_worker_that_writes_after_it_was_given_up(pool: Pool, tmp_path: Path) -> None:
    """Where a worker may still write, nobody else's tensors come to lie until its process has ended."""
    arena = Arena(64 * MIB, MIB)
    arrays = doubles(200_000)
    async with pool(2, arena=arena) as engine:
        outcome = await engine.evaluate(echo(f"haunt-{tmp_path / 'haunted'}", arrays))
        assert np.array_equal(found(outcome)[0], arrays[0])
        assert sum(worker.deaths for worker in engine.workers) == 1
        asked = Evaluation(kind("echo", 200_000), (bytes(1_600_000),))
        for _ in range(40):
            outcome = await engine.evaluate(asked)
            await asyncio.sleep(0.005)
            assert not found(outcome)[0].any()
        assert sum(worker.deaths for worker in engine.workers) == 1
        del outcome
        await freed(arena)


async def test_nothing_is_left(pool: Pool) -> None:
    """After a stop no block, no open file and no name is left of what workers had in hand."""

    async def work() -> int:
        arena = Arena(64 * MIB, MIB)
        inode = os.fstat(arena.segment.descriptor).st_ino
        assert inode in mapped_memory()
        asked = echo("slow-30", doubles(50_000))
        async with pool(2, arena=arena) as engine:
            calls = [asyncio.create_task(engine.evaluate(asked)) for _ in range(3)]
            await asyncio.sleep(0.2)
            assert arena.in_use > 0
        await asyncio.gather(*calls, return_exceptions=True)
        calls.clear()
        await freed(arena)
        return inode

    inode = await asyncio.create_task(work())
    gc.collect()
    assert inode not in mapped_memory()
    assert not any(name.startswith("pullback") for name in _names("/dev/shm"))  # noqa: S108 -- a look


async def test_segments_of_clients(pool: Pool) -> None:
    """Tensors are read and written where a client has them, also by a worker that was started again."""
    segment = _segment(77, 4 * MIB)
    first, second = doubles(20_000, 30_000)
    segment.memory[:160_000] = np.frombuffer(first.tobytes(), np.uint8)
    place = Place(segment, 0, 160_000)
    async with pool(arena=Arena(64 * MIB, MIB)) as engine:
        engine.attach(segment)
        for life in range(2):
            inputs: tuple[Data, ...] = (place, second.tobytes())
            target = Place(segment, MIB, 2 * MIB)
            outcome = await engine.evaluate(Evaluation(kind("echo", 20_000, 30_000), inputs, None, target))
            leaves = outcome.results[0]
            assert all(map(np.array_equal, found(outcome), (first, second)))
            assert [(leaf.place.offset, leaf.place.nbytes) for leaf in leaves if leaf.place] == [
                (MIB, 160_000),
                (MIB + 160_000, 240_000),
            ]
            segment.memory[MIB:] = 0
            if life == 0:
                process = engine.workers[0].process
                assert process is not None
                os.kill(process, signal.SIGKILL)
                while engine.workers[0].process in (process, None) or not engine.ready:
                    await asyncio.wait_for(engine.changed(), 20)
        engine.detach(segment)
        outcome = await engine.evaluate(Evaluation(kind("echo", 20_000), (place,), None, target))
        assert np.array_equal(found(outcome)[0], first)
        assert outcome.results[0][0].place is None


@pytest.mark.parametrize("exclusive", [False, True])
async def test_segments_while_something_runs_alone(pool: Pool, *, exclusive: bool) -> None:
    """What is handed over meanwhile is known afterwards, also to the worker that was set aside."""
    segment = _segment(78, MIB)
    (numbers,) = doubles(20_000)
    segment.memory[:160_000] = np.frombuffer(numbers.tobytes(), np.uint8)
    evaluation = Evaluation(kind("echo", 20_000), (Place(segment, 0, 160_000),), None)
    slow = Evaluation(kind("slow-0.5", 1), (doubles(1)[0].tobytes(),), None)
    async with pool(exclusive=exclusive) as engine:
        alone = asyncio.create_task(engine.evaluate(slow, alone=True))
        await asyncio.sleep(0.2)
        engine.attach(segment)
        assert not alone.done() or not exclusive
        await alone
        assert np.array_equal(found(await engine.evaluate(evaluation))[0], numbers)
        assert np.array_equal(found(await engine.evaluate(evaluation, alone=True))[0], numbers)


async def test_results_that_do_not_fit(pool: Pool) -> None:
    """Results for which a client's place is too small come as they can."""
    segment = _segment(5, MIB)
    async with pool() as engine:
        engine.attach(segment)
        arrays, target = doubles(10_000, 20_000, 3), Place(segment, 64, 80_000)
        asked = echo("echo", arrays)
        outcome = await engine.evaluate(Evaluation(asked.kind, asked.inputs, None, target))
        assert all(map(np.array_equal, found(outcome), arrays))
        assert [leaf.place is not None for leaf in outcome.results[0]] == [True, False, False]


async def test_warming(pool: Pool) -> None:
    """Warming makes all workers warm, a run the one that it had; a refusal is told."""
    async with pool(2) as engine:
        asked = echo("echo", doubles(3))
        assert engine.warmth(asked.kind, None) == 0
        await engine.evaluate(asked)
        assert engine.warmth(asked.kind, None) == 1
        await engine.warm(asked.kind, None)
        assert (engine.warmth(asked.kind, None), engine.warmth(asked.kind, 5)) == (2, 0)
        await engine.warm(asked.kind, 5)
        assert [engine.warmth(asked.kind, points) for points in (4, 5, 8, 9)] == [0, 2, 2, 0]
        refused = echo("refuse", doubles(3))
        with pytest.raises(ServiceError) as caught:
            await engine.warm(refused.kind, None)
        assert caught.value.reason is Reason.COMPILATION_FAILED
        assert engine.warmth(refused.kind, None) == 0


async def test_many_kinds(pool: Pool) -> None:
    """More kinds than are remembered are all answered, the first one again as well."""
    async with pool() as engine:
        kinds = [kind("echo", 2) for _ in range(5_000)]
        for number, each in enumerate([*kinds, kinds[0]]):
            outcome = await engine.evaluate(Evaluation(each, (np.full(2, float(number)).tobytes(),)))
            assert found(outcome)[0][0] == number


def _names(folder: str) -> list[str]:
    return [entry.name for entry in Path(folder).iterdir()]


def _segment(number: int, size: int) -> Segment:
    arena = Arena(size, size)
    memory = arena.segment.memory
    return Segment(number, os.dup(arena.segment.descriptor), memory)
