"""The local pool, with real processes: answers, deaths, replays, vanished callers."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import numpy as np
import psutil
import pytest
from evaluations import evaluation as evaluation_of

from pullback.program.elements import ElementType
from pullback.program.tensors import TensorType
from pullback_server.engine.interface import WorkerState
from pullback_server.engine.pool import LocalPool
from pullback_server.errors import Code, Reason, RequestError, ServiceError
from pullback_server.model.evaluation import Compilation, Evaluation, Outcome, Tensor
from pullback_server.model.quantities import Quantity, Want

pytestmark = pytest.mark.usefixtures("small_heap")

Pool = Callable[..., AbstractAsyncContextManager[LocalPool]]
Make = Callable[..., Evaluation]


def values(outcome: Outcome) -> list[float]:
    """The numbers of the first result."""
    return list(np.frombuffer(outcome.results[0][0].data))


def worker_of(engine: LocalPool, number: int = 0) -> psutil.Process:
    """The process of a worker."""
    process = engine.workers[number].process
    assert process is not None
    return psutil.Process(process)


async def test_answers_go_to_their_callers(pool: Pool, evaluation: Make) -> None:
    """Many calls at once, answered out of order, each get their own answer."""
    async with pool() as engine:
        calls = [engine.evaluate(evaluation(f"slow-{(20 - i) / 200}", i)) for i in range(20)]
        assert [values(outcome) for outcome in await asyncio.gather(*calls)] == [[i] for i in range(20)]


async def test_description_and_state(pool: Pool) -> None:
    """A ready worker tells its device and versions."""
    async with pool(2) as engine:
        assert engine.ready
        assert [worker.name for worker in engine.workers] == ["cpu:0", "cpu:1"]
        assert {worker.state for worker in engine.workers} == {WorkerState.READY}
        description = engine.workers[1].description
        assert description is not None
        assert (description.device.kind, description.versions) == ("tiny", {"tiny": "1"})


async def test_large_and_empty_tensors(pool: Pool) -> None:
    """Tensors of 40 MB and of no element come back as they went."""
    large = np.arange(5_000_000, dtype=np.float64)
    empty = Tensor(TensorType(ElementType.F32, (0, 3)), b"")
    tensors = (Tensor(TensorType(ElementType.F64, large.shape), large.tobytes()), empty)
    async with pool() as engine:
        outcome = await engine.evaluate(evaluation_of("echo", (Want(Quantity.VALUE),), tensors))
        assert np.array_equal(np.frombuffer(outcome.results[0][0].data), large)
        assert outcome.results[0][1].type == empty.type
        assert len(outcome.results[0][1].data) == 0


async def test_work_goes_to_the_least_busy(pool: Pool, evaluation: Make) -> None:
    """Two slow calls run on two workers."""
    async with pool(2) as engine:
        outcomes = await asyncio.gather(*(engine.evaluate(evaluation("slow-0.2")) for _ in range(2)))
        assert len({outcome.timing.execute for outcome in outcomes}) == 2


async def test_missing_program_is_fetched_once(
    pool: Pool, evaluation: Make, programs: dict[str, bytes], fetched: list[str]
) -> None:
    """Calls that miss the same program at the same time share one load, also if the first goes away."""
    programs["stored-a"] = b"12345"
    async with pool() as engine:
        first = asyncio.create_task(engine.evaluate(evaluation("stored-a")))
        others = [asyncio.create_task(engine.evaluate(evaluation("stored-a", i))) for i in range(5)]
        await asyncio.sleep(0.03)
        first.cancel()
        assert [values(outcome) for outcome in await asyncio.gather(*others)] == [[i] for i in range(5)]
        assert fetched == ["stored-a"]


async def test_missing_program_that_nobody_waits_for(
    pool: Pool, evaluation: Make, fetched: list[str]
) -> None:
    """A load that fails after all who missed the program have gone is nobody's error."""
    told: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    async with pool() as engine:
        call = asyncio.create_task(engine.evaluate(evaluation("stored-nowhere")))
        while not fetched:  # noqa: ASYNC110 -- no event tells of it
            await asyncio.sleep(0.001)
        call.cancel()
        await asyncio.sleep(0.2)
        assert call.cancelled()
        del call  # it holds its frames, and they the load
        gc.collect()
    assert told == []


async def test_program_that_is_nowhere(pool: Pool, evaluation: Make) -> None:
    """What the program source says reaches the caller, and the next call is answered."""
    async with pool() as engine:
        with pytest.raises(ServiceError) as caught:
            await engine.evaluate(evaluation("stored-nowhere"))
        assert caught.value.reason is Reason.PROGRAM_NOT_FOUND
        assert values(await engine.evaluate(evaluation("echo", 7.0))) == [7.0]


async def test_load_and_compile(pool: Pool) -> None:
    """Loading gives the result's types or the worker's refusal; compiling says whether it was cached."""
    async with pool() as engine:
        assert (await engine.load("a", b"1234567")).result == (TensorType(ElementType.F64, (7,)),)
        with pytest.raises(RequestError, match="this is bad") as caught:
            await engine.load("b", b"bad")
        assert (caught.value.reason, caught.value.metadata) == (Reason.MALFORMED_PROGRAM, {"line": "1"})
        assert await engine.compile(Compilation("a", (Want(Quantity.VALUE),))) is False


async def test_failure_keeps_its_reason(pool: Pool, evaluation: Make) -> None:
    """A worker's error arrives with reason, sentence and metadata, whatever the metadata's keys are."""
    async with pool() as engine:
        with pytest.raises(RequestError, match="no") as caught:
            await engine.evaluate(evaluation("refuse"))
        assert caught.value.reason is Reason.SHAPE_MISMATCH
        assert caught.value.metadata == {"argument": "x", "reason": "r"}


async def test_several_share_the_workers(pool: Pool, evaluation: Make) -> None:
    """All workers are told once that they are shared, and those that take their places as well."""
    async with pool(2) as engine:
        with pytest.raises(ServiceError, match="said 0 times"):
            await engine.evaluate(evaluation("polite"))
        for _ in range(2):
            engine.make_way()
        for number in range(3):
            both = [engine.evaluate(evaluation(name, 1.0)) for name in ("polite", "slow-0.2", "polite")]
            assert [values(outcome) for outcome in await asyncio.gather(*both)] == [[1.0]] * 3
            deaths = engine.workers[number % 2].deaths
            worker_of(engine, number % 2).send_signal(signal.SIGKILL)
            async with asyncio.timeout(20):
                while engine.workers[number % 2].deaths == deaths or not engine.ready:
                    await engine.changed()


async def test_kill_mid_request_is_replayed(pool: Pool, evaluation: Make) -> None:
    """What a killed worker had in hand is answered by the next one."""
    async with pool() as engine:
        calls = [asyncio.create_task(engine.evaluate(evaluation("slow-0.5", i))) for i in range(3)]
        await asyncio.sleep(0.1)
        before = worker_of(engine)
        before.send_signal(signal.SIGKILL)
        outcomes = await asyncio.gather(*calls)
        assert [values(outcome) for outcome in outcomes] == [[0.0], [1.0], [2.0]]
        assert {outcome.timing.execute for outcome in outcomes} == {float(worker_of(engine).pid)}
        assert engine.workers[0].deaths == 1
        assert not before.is_running()


async def test_program_that_kills_once(pool: Pool, evaluation: Make, tmp_path: Path) -> None:
    """A call that kills its worker once is answered by the second."""
    async with pool() as engine:
        assert values(await engine.evaluate(evaluation(f"die-once-{tmp_path / 'died'}", 5.0))) == [5.0]


async def test_program_that_always_kills(pool: Pool, evaluation: Make) -> None:
    """A call that kills each worker that it meets is quarantined, and the pool recovers."""
    async with pool() as engine:
        with pytest.raises(ServiceError) as caught:
            await engine.evaluate(evaluation("die"))
        assert (caught.value.reason, caught.value.code) == (Reason.QUARANTINED, Code.FAILED_PRECONDITION)
        assert "SIGABRT" in caught.value.message
        assert engine.workers[0].deaths == 1
        assert values(await engine.evaluate(evaluation("echo", 4.0))) == [4.0]


@pytest.mark.parametrize("program", ["babble", "invent"])
async def test_worker_that_makes_no_sense(pool: Pool, evaluation: Make, program: str) -> None:
    """A worker that talks nonsense counts as dead and is replaced."""
    async with pool() as engine:
        before = worker_of(engine).pid
        with pytest.raises(ServiceError, match="made no sense") as caught:
            await engine.evaluate(evaluation(program))
        assert caught.value.reason is Reason.QUARANTINED
        assert values(await engine.evaluate(evaluation("echo", 4.0))) == [4.0]
        assert worker_of(engine).pid != before


async def test_vanished_callers(pool: Pool, evaluation: Make) -> None:
    """Callers that go away before their answers leave the others undisturbed and nothing behind."""
    async with pool() as engine:
        calls = [asyncio.create_task(engine.evaluate(evaluation("slow-0.1", i))) for i in range(10)]
        await asyncio.sleep(0.03)
        for call in calls[::2]:
            call.cancel()
        outcomes = await asyncio.gather(*calls[1::2])
        assert [values(outcome) for outcome in outcomes] == [[1.0], [3.0], [5.0], [7.0], [9.0]]
        await asyncio.sleep(0.1)
        assert engine.workers[0].in_flight == 0
        assert engine.workers[0].deaths == 0


async def test_caller_that_vanishes_while_a_large_frame_is_written(pool: Pool, evaluation: Make) -> None:
    """A frame that is half written when its caller goes is finished, so that the next one can be read."""
    large = Tensor(TensorType(ElementType.F64, (8_000_000,)), bytes(64_000_000))
    async with pool() as engine:
        call = asyncio.create_task(engine.evaluate(evaluation_of("echo", (Want(Quantity.VALUE),), (large,))))
        await asyncio.sleep(0.01)
        call.cancel()
        assert values(await engine.evaluate(evaluation("echo", 6.0))) == [6.0]
        assert engine.workers[0].deaths == 0


async def test_calls_wait_for_a_worker_that_starts(pool: Pool, evaluation: Make) -> None:
    """A call that comes before the worker is ready waits for it."""
    async with pool(wait=False) as engine:
        assert not engine.ready
        assert values(await engine.evaluate(evaluation("echo", 2.0))) == [2.0]


@pytest.mark.parametrize("first", ["exit", "answer"])
async def test_worker_that_never_gets_ready(pool: Pool, evaluation: Make, first: str) -> None:
    """Where no worker comes up, calls fail with NOT_READY and a time to come back."""
    async with pool(first=first, wait=False) as engine:
        while engine.workers[0].deaths < 5:
            await asyncio.wait_for(engine.changed(), 20)
        with pytest.raises(ServiceError) as caught:
            await engine.evaluate(evaluation("echo"))
        assert (caught.value.reason, caught.value.retry_delay) == (Reason.NOT_READY, 1.0)
        assert not engine.ready


async def test_worker_that_stays_silent(pool: Pool) -> None:
    """A worker that does not get ready in time is ended and started again."""
    async with pool(first="silence", seconds=1.0, wait=False) as engine:
        before = worker_of(engine)
        while engine.workers[0].process in (before.pid, None):
            await asyncio.wait_for(engine.changed(), 20)
        assert engine.workers[0].deaths == 1
        assert not before.is_running()


async def test_stop_leaves_nothing(pool: Pool, evaluation: Make) -> None:
    """After a stop no process is left, and calls in hand and later ones fail with NOT_READY."""
    before = psutil.Process(os.getpid()).children()
    async with pool(2) as engine:
        processes = [worker_of(engine, i) for i in range(2)]
        call = asyncio.create_task(engine.evaluate(evaluation("slow-30")))
        await asyncio.sleep(0.05)
        began = time.monotonic()
        await engine.stop()
        assert time.monotonic() - began < 5
        for late in (call, engine.evaluate(evaluation("echo"))):
            with pytest.raises(ServiceError) as caught:
                await late
            assert caught.value.reason is Reason.NOT_READY
        assert not any(process.is_running() for process in processes)
        assert set(psutil.Process(os.getpid()).children()) <= set(before)
