"""What a server shows of itself, from wherever it is counted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pullback_server.engine.arena import Arena
from pullback_server.engine.interface import Engine, WorkerState, WorkerStatus
from pullback_server.engine.quarantine import Quarantine
from pullback_server.registry.registry import Registry
from pullback_server.scheduling.figures import Figures, TenantFigures
from pullback_server.scheduling.scheduler import Scheduler
from pullback_server.services.budget import Budgets
from pullback_server.services.calls import OpenCalls
from pullback_server.telemetry import metrics
from pullback_server.telemetry.crashes import Moment
from pullback_server.telemetry.memory import resident_bytes
from pullback_server.telemetry.metrics import Family, Reading
from pullback_server.telemetry.watch import Watch


@dataclass(slots=True)
class Observation:
    """Gathers figures.

    Attributes:
        engine: Whose workers are shown.
        registry: Whose functions are counted.
        quarantine: Whose programs are counted.
        scheduler: What the batcher did, and for which tenants.
        budgets: What is in hand.
        calls: The calls that are open.
        arena: Where tensors cross; None where there is no such memory.
        watch: What is counted where requests pass.
        version: The server's version.
        draining: Whether the server takes no new work.
        began: When the server was put together, on the clock of `time.monotonic`.
    """

    engine: Engine
    registry: Registry
    quarantine: Quarantine
    scheduler: Scheduler
    budgets: Budgets
    calls: OpenCalls
    arena: Arena | None
    watch: Watch
    version: str
    draining: bool = False
    began: float = field(default_factory=time.monotonic)
    _stored: tuple[int, int] = (0, 0)
    _generation: object = field(default=None)

    async def families(self) -> Iterator[Family]:
        """All figures, as they are now or when they are read."""
        await self._look_at_registry()
        return self._families()

    async def follow(self) -> None:
        """Has it written down what was in hand whenever a worker dies, until cancelled.

        That is what was in hand when it was noticed; of what the process died is known a little later.
        """
        crashes = self.watch.crashes
        moments: dict[str, Moment] = {}
        deaths = self._deaths()
        while True:
            await self.engine.changed()
            for worker in self.engine.workers:
                if worker.deaths > deaths.get(worker.name, 0):
                    moment = moments.pop(worker.name, None)
                    crashes.worker_died(worker.name, worker.figures.last_death, moment)
                elif worker.state is WorkerState.WAITING:
                    moments.setdefault(worker.name, crashes.now())
            deaths = self._deaths()

    def _families(self) -> Iterator[Family]:
        yield from self.watch.calls.families()
        yield metrics.REFUSED, [((reason,), count) for reason, count in self.calls.refused.items()]
        yield metrics.OPEN_CALLS, [((), self.calls.count)]
        yield from self.watch.evaluations.families()
        yield metrics.IN_FLIGHT, [((), self.watch.recorder.in_hand)]
        yield from _of_batcher(self.scheduler.figures)
        yield from self._of_tenants()
        yield from _of_workers(self.engine.workers)
        yield metrics.QUARANTINED, [((), self.quarantine.count)]
        yield from self._of_memory()
        functions, nbytes = self._stored
        yield metrics.FUNCTIONS, [((), functions)]
        yield metrics.STORED, [((), nbytes)]
        yield metrics.BUILD, [((self.version,), 1)]

    def _of_tenants(self) -> Iterator[Family]:
        sums: dict[str, TenantFigures] = {}
        for tenant, figures in self.scheduler.tenants().items():
            common = sums.setdefault(self.watch.labels.of(tenant), TenantFigures())
            common.device_seconds += figures.device_seconds
            common.queued += figures.queued
            common.shed += figures.shed
            common.late += figures.late
        rows = [((label,), common) for label, common in sums.items()]
        yield metrics.TENANT_SECONDS, [(label, common.device_seconds) for label, common in rows]
        yield metrics.TENANT_QUEUED, [(label, common.queued) for label, common in rows]
        yield metrics.TENANT_SHED, [(label, common.shed) for label, common in rows]
        yield metrics.TENANT_LATE, [(label, common.late) for label, common in rows]

    def _of_memory(self) -> Iterator[Family]:
        pairs = (("requests", self.budgets.requests), ("results", self.budgets.results))
        yield metrics.BYTES_IN_FLIGHT, [((name,), budget.used) for name, budget in pairs]
        yield metrics.WAITING_FOR_ROOM, [((name,), budget.waiting) for name, budget in pairs]
        if self.arena is not None:
            arena = self.arena
            states = {"in_use": arena.in_use, "backed": arena.backed, "peak": arena.peak}
            yield metrics.ARENA, [((state,), nbytes) for state, nbytes in states.items()]

    async def _look_at_registry(self) -> None:
        """Counts what is stored anew, if it has changed."""
        generation = self.registry.generation
        if generation is not self._generation:
            usage = (await asyncio.to_thread(self.registry.usage)).values()
            self._stored = sum(used.functions for used in usage), sum(used.stored_bytes for used in usage)
            self._generation = generation

    def _deaths(self) -> Mapping[str, int]:
        return {worker.name: worker.deaths for worker in self.engine.workers}


def _of_batcher(figures: Figures) -> Iterator[Family]:
    yield metrics.RUNS, [((), figures.runs)]
    yield metrics.JOINED, [((), figures.joined)]
    yield metrics.CUT, [((), figures.cut)]
    yield metrics.REPEATED, [((), figures.repeated)]
    yield metrics.BATCHED, [((), figures.batch)]
    yield metrics.PADDING, [((), figures.padding)]
    yield metrics.WARMED, [((), figures.warmed)]


def _of_workers(workers: tuple[WorkerStatus, ...]) -> Iterator[Family]:
    named = [((worker.name,), worker, worker.figures) for worker in workers]
    ready = WorkerState.READY
    yield metrics.WORKER_READY, [(name, int(worker.state is ready)) for name, worker, _ in named]
    yield (
        metrics.WORKER_DEATHS,
        [((*name, cause), count) for name, _, figures in named for cause, count in figures.deaths.items()],
    )
    yield metrics.WORKER_IN_HAND, [(name, worker.in_flight) for name, worker, _ in named]
    yield metrics.WORKER_MEMORY, _memory(workers)
    yield metrics.DEVICE_MEMORY, _device_memory(workers)
    yield metrics.WORKER_RUNS, [(name, figures.runs) for name, _, figures in named]
    yield metrics.WORKER_BUSY, [(name, figures.busy_seconds) for name, _, figures in named]
    yield metrics.WORKER_HITS, [(name, figures.runs - figures.compiling.count) for name, _, figures in named]
    yield metrics.COMPILE, [(name, figures.compiling) for name, _, figures in named]
    yield metrics.BATCH, [(name, figures.sizes) for name, _, figures in named]


def _memory(workers: tuple[WorkerStatus, ...]) -> Iterator[Reading]:
    for worker in workers:
        nbytes = None if worker.process is None else resident_bytes(worker.process)
        if nbytes is not None:
            yield (worker.name,), nbytes


def _device_memory(workers: tuple[WorkerStatus, ...]) -> Iterator[Reading]:
    for worker in workers:
        if worker.occupancy is not None:
            for state, nbytes in worker.occupancy._asdict().items():
                yield (worker.name, state), nbytes
