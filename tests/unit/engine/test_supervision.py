"""What becomes of workers that hang, crash, grow or take too long, and of the calls that they had in hand."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import numpy as np
import pytest

from pullback_server.engine.bounds import Bounds
from pullback_server.engine.interface import WorkerState
from pullback_server.engine.pool import LocalPool
from pullback_server.engine.quarantine import Quarantine
from pullback_server.engine.strays import Strays
from pullback_server.errors import Reason, ServiceError
from pullback_server.model.evaluation import Compilation, Evaluation, Outcome
from pullback_server.model.quantities import Quantity, Want
from pullback_server.model.tickets import Ticket, ticket

Pool = Callable[..., AbstractAsyncContextManager[LocalPool]]
Make = Callable[..., Evaluation]
VALUE = (Want(Quantity.VALUE),)


def first_of(outcome: Outcome) -> float:
    """The first number of the first result."""
    return float(np.frombuffer(outcome.results[0][0].data)[0])


async def reason_of(call: object) -> Reason:
    """The reason for which a call fails."""
    with pytest.raises(ServiceError) as caught:
        await call  # type: ignore[misc]
    return caught.value.reason


async def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Waits until a condition holds."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 -- a condition has no event
            await asyncio.sleep(0.01)


async def test_deadline(pool: Pool, evaluation: Make) -> None:
    """At its deadline a call fails; its worker is ended soon after, and who shared it is answered."""
    async with pool(bounds=Bounds(abandoned_seconds=0.2)) as engine:
        began = time.monotonic()
        late = asyncio.create_task(engine.evaluate(evaluation("slow-30"), began + 0.3))
        other = asyncio.create_task(engine.evaluate(evaluation("slow-1", 5.0), began + 20))
        assert await reason_of(late) is Reason.DEADLINE_EXCEEDED
        assert 0.3 <= time.monotonic() - began < 0.6
        await until(lambda: engine.workers[0].deaths == 1)
        assert time.monotonic() - began < 2
        assert first_of(await other) == 5.0


async def test_deadlines_in_any_order(pool: Pool, evaluation: Make) -> None:
    """Each call has its own deadline, though one timer serves all; those in time are answered."""
    async with pool() as engine:
        now = time.monotonic()
        calls = [
            asyncio.create_task(engine.evaluate(evaluation("slow-0.4", i), now + seconds))
            for i, seconds in enumerate((0.3, 5.0, 0.1, 0.2, 6.0))
        ]
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        late = [isinstance(outcome, ServiceError) for outcome in outcomes]
        assert late == [True, False, True, True, False]
        assert engine.workers[0].deaths == 0


async def test_deadline_while_no_worker_is_there(pool: Pool, evaluation: Make) -> None:
    """A call does not wait for a worker beyond its deadline."""
    async with pool(first="silence", wait=False) as engine:
        call = engine.evaluate(evaluation("echo"), time.monotonic() + 0.1)
        assert await reason_of(call) is Reason.DEADLINE_EXCEEDED


async def test_run_time(pool: Pool, evaluation: Make) -> None:
    """What runs beyond the server's limit is ended, with the numbers; those beside it are answered."""
    quarantine = Quarantine()
    async with pool(bounds=Bounds(run_seconds=0.5), quarantine=quarantine) as engine:
        slow = asyncio.create_task(engine.evaluate(evaluation("slow-30")))
        await asyncio.sleep(0.3)
        others = [asyncio.create_task(engine.evaluate(evaluation("slow-0.3", i))) for i in range(3)]
        with pytest.raises(ServiceError, match=r"max_run_seconds\) is 0.5 s") as caught:
            await slow
        assert caught.value.reason is Reason.RUN_TIME_EXCEEDED
        assert caught.value.metadata["limit"] == "0.5"
        assert [first_of(outcome) for outcome in await asyncio.gather(*others)] == [0.0, 1.0, 2.0]
        await until(lambda: engine.workers[0].deaths == 1)
        assert quarantine.entries() == ()
        assert await reason_of(engine.evaluate(evaluation("slow-30"))) is Reason.RUN_TIME_EXCEEDED
        assert await reason_of(engine.evaluate(evaluation("slow-30"))) is Reason.QUARANTINED


async def test_compile_time(pool: Pool) -> None:
    """What compiles beyond the server's limit is ended."""
    async with pool(bounds=Bounds(compile_seconds=0.3, run_seconds=0.0)) as engine:
        call = engine.compile(Compilation("slow-30", VALUE))
        assert await reason_of(call) is Reason.COMPILE_TIME_EXCEEDED
        await until(lambda: engine.workers[0].deaths == 1)


async def test_abandoned_run(pool: Pool, evaluation: Make) -> None:
    """What nobody waits for is ended; a worker that has finished it by then is left alone."""
    async with pool(bounds=Bounds(abandoned_seconds=0.5)) as engine:
        quick, slow = (asyncio.create_task(engine.evaluate(evaluation(f"slow-{s}"))) for s in (0.2, 30))
        await asyncio.sleep(0.1)
        quick.cancel()
        await asyncio.sleep(1)
        assert engine.workers[0].deaths == 0
        slow.cancel()
        await until(lambda: engine.workers[0].deaths == 1, 2)
        assert first_of(await engine.evaluate(evaluation("echo", 3.0))) == 3.0


async def test_abandoned_compilation(pool: Pool) -> None:
    """A compilation that nobody waits for has longer, as others may find it done; then it is ended."""
    async with pool(bounds=Bounds(abandoned_seconds=0.2, kept_seconds=1.0)) as engine:
        call = asyncio.create_task(engine.compile(Compilation("slow-30", VALUE)))
        await asyncio.sleep(0.1)
        call.cancel()
        await asyncio.sleep(0.8)
        assert engine.workers[0].deaths == 0
        await until(lambda: engine.workers[0].deaths == 1, 2)


async def test_abandoned_by_one_of_two(pool: Pool, evaluation: Make) -> None:
    """Where somebody else waits for the same program, its worker goes on."""
    async with pool(bounds=Bounds(abandoned_seconds=0.2)) as engine:
        gone, here = (asyncio.create_task(engine.evaluate(evaluation("slow-1.2", i))) for i in range(2))
        await asyncio.sleep(0.1)
        gone.cancel()
        assert first_of(await here) == 1.0
        assert engine.workers[0].deaths == 0


async def test_abandoned_by_most(pool: Pool, evaluation: Make) -> None:
    """That does not keep what was left alive for ever: the worker is ended, and who waits is answered."""
    async with pool(bounds=Bounds(abandoned_seconds=0.2, common_seconds=0.5)) as engine:
        gone, here = (asyncio.create_task(engine.evaluate(evaluation("slow-2.5", i))) for i in range(2))
        await asyncio.sleep(0.1)
        gone.cancel()
        await until(lambda: engine.workers[0].deaths == 1, 2)
        assert first_of(await here) == 1.0


@pytest.mark.parametrize("exclusive", [False, True])
async def test_left_again_and_again(pool: Pool, evaluation: Make, *, exclusive: bool) -> None:
    """A program whose callers leave it running costs others a few workers, and runs alone from then on."""
    bounds = Bounds(abandoned_seconds=0.2)
    async with pool(bounds=bounds, strays=Strays(program=2), exclusive=exclusive) as engine:
        for _ in range(2):
            assert not engine.keeps_apart("slow-30", "")
            await until(lambda: engine.ready)
            impatient = engine.evaluate(evaluation("slow-30"), time.monotonic() + 0.1)
            assert await reason_of(impatient) is Reason.DEADLINE_EXCEEDED
            await until(lambda: not engine.ready)
        assert engine.keeps_apart("slow-30", "")
        assert not engine.keeps_apart("slow-2", "")
        other = asyncio.create_task(engine.evaluate(evaluation("slow-2", 5.0)))
        for _ in range(0 if exclusive else 3):
            impatient = engine.evaluate(evaluation("slow-30"), time.monotonic() + 0.5, alone=True)
            assert await reason_of(impatient) is Reason.DEADLINE_EXCEEDED
        assert first_of(await other) == 5.0
        assert engine.workers[0].deaths == 2


async def test_one_who_loses_worker_after_worker(pool: Pool, evaluation: Make) -> None:
    """Runs where nobody else does in the end, though the others' programs are always new ones."""
    async with pool(bounds=Bounds(abandoned_seconds=0.1), strays=Strays(program=99)) as engine:
        patient = asyncio.create_task(engine.evaluate(evaluation("slow-1.5", 5.0)))
        for number in range(30, 99):
            if patient.done():
                break
            impatient = engine.evaluate(evaluation(f"slow-{number}"), time.monotonic() + 0.1)
            assert await reason_of(impatient) is Reason.DEADLINE_EXCEEDED
            await asyncio.sleep(0.1)
        assert engine.workers[0].deaths >= 4
        assert first_of(await patient) == 5.0


async def test_frozen_worker(pool: Pool, evaluation: Make) -> None:
    """A worker whose process somebody stopped is replaced, and nobody is to blame."""
    quarantine = Quarantine(deaths=1)
    async with pool(2, bounds=Bounds(silent_seconds=0.8), quarantine=quarantine) as engine:
        calls = [asyncio.create_task(engine.evaluate(evaluation("slow-0.4", i))) for i in range(4)]
        await asyncio.sleep(0.1)
        process = engine.workers[0].process
        assert process is not None
        os.kill(process, signal.SIGSTOP)
        assert [first_of(outcome) for outcome in await asyncio.gather(*calls)] == [0.0, 1.0, 2.0, 3.0]
        assert engine.workers[0].deaths == 1
        assert quarantine.entries() == ()


async def test_frozen_worker_whose_calls_would_be_overdue(pool: Pool, evaluation: Make) -> None:
    """The time in which a worker was stopped is not held against what it had in hand."""
    quarantine = Quarantine(deaths=1)
    bounds = Bounds(run_seconds=1.5, silent_seconds=30)
    async with pool(2, bounds=bounds, quarantine=quarantine) as engine:
        calls = [asyncio.create_task(engine.evaluate(evaluation("slow-0.7", i))) for i in range(2)]
        await asyncio.sleep(0.3)
        process = engine.workers[0].process
        assert process is not None
        os.kill(process, signal.SIGSTOP)
        assert [first_of(outcome) for outcome in await asyncio.gather(*calls)] == [0.0, 1.0]
        assert engine.workers[0].deaths == 1
        assert quarantine.entries() == ()


async def test_a_run_beside_what_stalls_its_worker(pool: Pool, evaluation: Make) -> None:
    """The time in which a compilation holds Python's lock is not held against those who run beside it."""
    quarantine = Quarantine(deaths=1)
    async with pool(bounds=Bounds(run_seconds=2, silent_seconds=30), quarantine=quarantine) as engine:
        call = asyncio.create_task(engine.evaluate(evaluation("slow-0.5", 7.0)))
        await asyncio.sleep(0.3)
        await engine.compile(Compilation("stall-4", VALUE))
        assert first_of(await call) == 7.0
        assert await reason_of(engine.evaluate(evaluation("slow-30"))) is Reason.RUN_TIME_EXCEEDED
        assert [entry.digest for entry in quarantine.entries()] == ["slow-30"]


async def test_frozen_while_it_compiles(pool: Pool) -> None:
    """What is being prepared may be silent for longer, but not in a worker that was stopped."""
    async with pool(2, bounds=Bounds(silent_seconds=2)) as engine:
        compiling = asyncio.create_task(engine.compile(Compilation("slow-1.5", VALUE)))
        await until(lambda: engine.workers[0].in_flight == 1)
        process = engine.workers[0].process
        assert process is not None
        await asyncio.sleep(0.3)
        os.kill(process, signal.SIGSTOP)
        began = time.monotonic()
        await until(lambda: engine.workers[0].deaths == 1, 10)
        assert time.monotonic() - began < 5
        await compiling


async def test_hanging_interpreter(pool: Pool, evaluation: Make) -> None:
    """A program in which native code never lets go of the interpreter is found and quarantined."""
    async with pool(bounds=Bounds(silent_seconds=0.5)) as engine:
        other = asyncio.create_task(engine.evaluate(evaluation("slow-0.5", 7.0)))
        await asyncio.sleep(0.05)
        with pytest.raises(ServiceError, match="no sign of life") as caught:
            await engine.evaluate(evaluation("hang"))
        assert caught.value.reason is Reason.QUARANTINED
        assert first_of(await other) == 7.0
        assert engine.workers[0].deaths == 1


async def test_greedy_worker(pool: Pool, evaluation: Make) -> None:
    """A program that takes too much memory is ended, and told the numbers."""
    bounds = Bounds(memory_bytes=150 << 20, replays=1)
    async with pool(bounds=bounds) as engine:
        with pytest.raises(ServiceError, match="max_worker_memory_bytes") as caught:
            await engine.evaluate(evaluation("grow"))
        assert caught.value.reason is Reason.DEVICE_MEMORY_EXCEEDED
        assert caught.value.metadata["limit"] == str(150 << 20)
        assert int(caught.value.metadata["value"]) > 150 << 20


async def test_innocent_calls_beside_a_killer(pool: Pool, evaluation: Make) -> None:
    """Calls that ran or waited beside a killer are all answered, and the killer alone is quarantined."""
    quarantine = Quarantine()
    async with pool(2, quarantine=quarantine) as engine:
        innocent = [asyncio.create_task(engine.evaluate(evaluation("slow-0.3", i))) for i in range(12)]
        killer = asyncio.create_task(engine.evaluate(evaluation("die-0.1")))
        assert await reason_of(killer) is Reason.QUARANTINED
        assert [first_of(outcome) for outcome in await asyncio.gather(*innocent)] == list(range(12))
        assert [entry.digest for entry in quarantine.entries()] == ["die-0.1"]
        deaths = sum(worker.deaths for worker in engine.workers)
        assert await reason_of(engine.evaluate(evaluation("die-0.1"))) is Reason.QUARANTINED
        assert await reason_of(engine.compile(Compilation("die-0.1", VALUE))) is Reason.QUARANTINED
        assert await reason_of(engine.load("die-0.1", b"")) is Reason.QUARANTINED
        assert sum(worker.deaths for worker in engine.workers) == deaths
        assert quarantine.clear("die-0.1")
        assert await reason_of(engine.evaluate(evaluation("die-0.1"))) is Reason.QUARANTINED


async def test_killers_of_a_tenant(pool: Pool, evaluation: Make) -> None:
    """Whose requests took too long, or killed, is refused the program; other tenants are not."""
    quarantine = Quarantine(deaths=1)
    async with pool(bounds=Bounds(run_seconds=0.3), quarantine=quarantine) as engine:
        ticket.set(Ticket("bolt"))
        assert await reason_of(engine.evaluate(evaluation("slow-1.0"))) is Reason.RUN_TIME_EXCEEDED
        assert await reason_of(engine.evaluate(evaluation("die"))) is Reason.QUARANTINED
        assert await reason_of(engine.evaluate(evaluation("slow-1.0"))) is Reason.QUARANTINED
        ticket.set(Ticket("acme"))
        assert await reason_of(engine.evaluate(evaluation("slow-1.0"))) is Reason.RUN_TIME_EXCEEDED
        entries = [(entry.digest, entry.tenant) for entry in quarantine.entries()]
        assert entries == [("slow-1.0", "bolt"), ("die", "bolt"), ("slow-1.0", "acme")]


async def test_killer_where_devices_are_exclusive(pool: Pool, evaluation: Make) -> None:
    """Where no second process can be, a suspect runs alone in a worker, while nothing else is sent there."""
    async with pool(2, exclusive=True) as engine:
        innocent = [asyncio.create_task(engine.evaluate(evaluation("slow-0.2", i))) for i in range(6)]
        assert await reason_of(engine.evaluate(evaluation("die"))) is Reason.QUARANTINED
        assert [first_of(outcome) for outcome in await asyncio.gather(*innocent)] == list(range(6))
        await until(lambda: engine.ready)


async def test_killer_that_is_parsed(pool: Pool) -> None:
    """A program whose mere reading kills is refused at registration, with few deaths."""
    async with pool() as engine:
        with pytest.raises(ServiceError, match="SIGABRT") as caught:
            await engine.load("evil", b"die")
        assert caught.value.reason is Reason.QUARANTINED
        assert engine.workers[0].deaths == 1


async def test_joined_killer_and_its_company(pool: Pool, evaluation: Make) -> None:
    """A run of several requests is not repeated; each is evaluated alone then, and the good are answered."""
    async with pool() as engine:
        joined = engine.evaluate(evaluation("die-negative", -1.0), joined=True)
        assert await reason_of(joined) is Reason.WORKER_DIED
        assert first_of(await engine.evaluate(evaluation("die-negative", 1.0), alone=True)) == 1.0
        bad = engine.evaluate(evaluation("die-negative", -1.0), alone=True)
        assert await reason_of(bad) is Reason.QUARANTINED
        assert first_of(await engine.evaluate(evaluation("die-negative", 2.0), alone=True)) == 2.0
        assert await reason_of(engine.evaluate(evaluation("die-negative", 2.0))) is Reason.QUARANTINED
        assert engine.workers[0].deaths == 1


async def test_the_cell_is_left_at_once(pool: Pool, evaluation: Make) -> None:
    """Of those that run alone one after the other, one that is cancelled or too late holds up no other."""
    async with pool() as engine:
        gone = asyncio.create_task(engine.evaluate(evaluation("slow-30"), alone=True))
        late = engine.evaluate(evaluation("slow-30"), time.monotonic() + 0.5, alone=True)
        calls = [
            asyncio.create_task(call) for call in (late, engine.evaluate(evaluation("echo"), alone=True))
        ]
        await asyncio.sleep(0.2)
        gone.cancel()
        assert await reason_of(calls[0]) is Reason.DEADLINE_EXCEEDED
        assert first_of(await calls[1]) == 1.0
        assert engine.workers[0].deaths == 0


async def test_kills_from_outside_blame_nobody(pool: Pool, evaluation: Make) -> None:
    """A call whose workers somebody else kills fails in the end, but its program is not quarantined."""
    quarantine = Quarantine(deaths=1)
    async with pool(quarantine=quarantine) as engine:
        assert await reason_of(engine.evaluate(evaluation("killed"))) is Reason.WORKER_DIED
        await until(lambda: engine.workers[0].deaths == 3)
        assert quarantine.entries() == ()


async def test_few_replays(pool: Pool, evaluation: Make) -> None:
    """Without replays a call fails with the first worker that dies while it runs."""
    async with pool(bounds=Bounds(replays=0)) as engine:
        assert await reason_of(engine.evaluate(evaluation("die"))) is Reason.WORKER_DIED


async def test_spare_takes_over(pool: Pool, evaluation: Make) -> None:
    """A spare process takes the place of one that dies at once, and another spare is started."""
    async with pool(spares=1) as engine:
        for _ in range(2):
            await until(lambda: engine._spares.waiting == 1)
            process = engine.workers[0].process
            assert process is not None
            os.kill(process, signal.SIGKILL)
            began = time.monotonic()
            await until(lambda process=process: engine.workers[0].process not in (None, process))
            assert time.monotonic() - began < 0.2
            assert engine.workers[0].state is WorkerState.READY
            assert first_of(await engine.evaluate(evaluation("echo", 9.0))) == 9.0


async def test_spare_that_dies(pool: Pool, evaluation: Make) -> None:
    """A spare process that dies while it waits is replaced as well."""
    async with pool(spares=1) as engine:
        await until(lambda: engine._spares.waiting == 1)
        first = engine._spares.take()
        assert first is not None
        await until(lambda: engine._spares.waiting == 1)
        await first.discard()
        waiting = engine._spares._waiting[0]
        os.kill(waiting.pid, signal.SIGKILL)
        await until(lambda: engine._spares.waiting == 1 and engine._spares._waiting[0] is not waiting)
        assert first_of(await engine.evaluate(evaluation("echo", 9.0))) == 9.0


async def test_wrong_probe(pool: Pool, evaluation: Make) -> None:
    """A worker that answers a probe wrong is never ready."""
    async with pool(first="wrong", wait=False) as engine:
        await until(lambda: engine.workers[0].deaths >= 4)
        assert await reason_of(engine.evaluate(evaluation("echo"))) is Reason.NOT_READY
        assert not engine.ready


async def test_death_in_the_first_probe(pool: Pool) -> None:
    """A worker that dies before it has proved itself is replaced at once, long before its time is over."""
    async with pool(first="fatal", seconds=60.0, wait=False) as engine:
        await until(lambda: engine.workers[0].deaths >= 2, 10)


@pytest.mark.parametrize("first", ["silence", "mute"])
async def test_frozen_before_it_is_ready(pool: Pool, first: str) -> None:
    """A worker that somebody stops before it has proved itself is replaced, long before its time is over."""
    async with pool(first=first, seconds=60.0, wait=False, bounds=Bounds(silent_seconds=0.5)) as engine:
        await until(lambda: engine.workers[0].process is not None)
        process = engine.workers[0].process
        assert process is not None
        os.kill(process, signal.SIGSTOP)
        await until(lambda: engine.workers[0].deaths >= 1, 10)


async def test_stop_in_the_first_probe(pool: Pool) -> None:
    """A server stops at once while a worker proves itself, and waits for none that does not."""
    async with pool(first="mute", seconds=60.0, wait=False) as engine:
        await until(lambda: engine.workers[0].process is not None)
        await asyncio.sleep(1.0)
        began = time.monotonic()
    assert time.monotonic() - began < 10


async def test_worker_that_fails_probes_later(pool: Pool, evaluation: Make) -> None:
    """A worker that lives but does not answer probes is replaced, unless answers of others come."""
    async with pool(first="deaf", bounds=Bounds(probe_seconds=0.5)) as engine:
        for i in range(6):
            assert first_of(await engine.evaluate(evaluation("echo", i))) == i
            await asyncio.sleep(0.2)
        assert engine.workers[0].deaths == 0
        await until(lambda: engine.workers[0].deaths == 1, 3)


async def test_new_worker_warms_what_the_last_one_had(pool: Pool, evaluation: Make) -> None:
    """A worker that was started again has what the one before had compiled, without being asked."""
    async with pool() as engine:
        asked = [evaluation("echo", float(i)) for i in range(3)]
        for each in asked:
            await engine.evaluate(each)
        process = engine.workers[0].process
        assert process is not None
        os.kill(process, signal.SIGKILL)
        await until(lambda: engine.workers[0].process not in (None, process) and engine.ready)
        await until(lambda: all(engine.warmth(each.kind, None) for each in asked))


async def test_quarantine_holds_in_the_pool_after_a_restart(
    pool: Pool, evaluation: Make, tmp_path: Path
) -> None:
    """A program that was quarantined is refused by the next server on the same directory."""
    file = tmp_path / "quarantine.json"
    async with pool(quarantine=Quarantine(file)) as engine:
        assert await reason_of(engine.evaluate(evaluation("die"))) is Reason.QUARANTINED
    async with pool(quarantine=Quarantine(file)) as engine:
        assert await reason_of(engine.evaluate(evaluation("die"))) is Reason.QUARANTINED
        assert engine.workers[0].deaths == 0
