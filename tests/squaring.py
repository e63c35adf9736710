"""An engine in the tests' own process, whose runs the tests hold up, fail and look at."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import numpy as np

from pullback.graphs.data import Graph
from pullback.program.elements import ElementType
from pullback.program.tensors import TensorType
from pullback_server.engine.interface import Engine, WorkerState, WorkerStatus
from pullback_server.errors import Reason, service_error
from pullback_server.model.evaluation import Compilation, Evaluation, Kind, Outcome, Tensor, Timing
from pullback_server.model.functions import Findings
from pullback_server.model.graphs import GraphQuery
from pullback_server.model.memory import Segment
from pullback_server.model.quantities import Quantity, Want

WANTS = (Want(Quantity.VALUE),)
POINT = Kind("f", WANTS, (TensorType(ElementType.F64, (2, 3)),), result_bytes=48)
BATCH = Kind("f", WANTS, POINT.arguments, batched=(True,), result_bytes=48)


class SquaringEngine(Engine):
    """Gives the square of the first input, and fails where it is negative.

    Attributes:
        ran: How many points each run had, in the order of their starts; None for a single point.
        company: Whether each run was made of several requests, and whether it was to run alone.
        gate: Runs wait until it is set.
        ready: How many workers are ready.
        warmed: The buckets that were compiled ahead.
        seconds: What a run takes, by its points, as it is told; nobody waits for it unless runs last.
        lasting: Whether runs last as long as they tell, one after the other on each worker, by the clock of
            the event loop.
        compiling: What compiling takes, as it is told.
        refuses: The points for which compiling fails.
        apart: The programs that run alone.
        made_way: How often it was said that several share the workers.
    """

    def __init__(self) -> None:
        self.ran: list[int | None] = []
        self.company: list[tuple[bool, bool]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.count = 1
        self.warmed: list[int | None] = []
        self.seconds: Callable[[int | None], float] = lambda _: 50e-6
        self.lasting = False
        self.compiling = 1.0
        self.apart: set[str] = set()
        self.made_way = 0
        self.refuses: set[int | None] = set()
        self.reason = Reason.EXECUTION_FAILED
        self._workers: asyncio.Semaphore | None = None
        self._warm: dict[tuple[Kind, int | None], int] = {}

    async def start(self) -> None:
        """Nothing to start."""

    async def stop(self) -> None:
        """Nothing to stop."""

    async def load(self, digest: str, program: bytes) -> Findings:
        """There are no programs."""
        raise NotImplementedError(digest, program)

    async def compile(self, compilation: Compilation) -> bool:
        """There are no programs."""
        raise NotImplementedError(compilation)

    async def graph(self, query: GraphQuery) -> Graph:
        """There are no programs."""
        raise NotImplementedError(query)

    async def evaluate(
        self,
        evaluation: Evaluation,
        until: float | None = None,  # noqa: ARG002
        *,
        joined: bool = False,
        alone: bool = False,
    ) -> Outcome:
        """Squares."""
        points = evaluation.points
        self.company.append((joined, alone))
        self.ran.append(points)
        await self.gate.wait()
        await self._last(points)
        type_, *_ = evaluation.kind.types(points)
        values = np.frombuffer(evaluation.inputs[0], type_.element.dtype).reshape(type_.shape)
        if (values < 0).any():
            raise service_error(self.reason, "a value is negative")
        compiling = 0.0 if self.warmth(evaluation.kind, points) else self.compiling
        self.heat(evaluation.kind, points)
        shared = [np.frombuffer(data, np.float64).sum() for data in evaluation.inputs[1:]]
        result = Tensor(type_, (values**2 + sum(shared)).tobytes())
        return Outcome(((result,),), Timing(compiling, self.seconds(points)))

    async def _last(self, points: int | None) -> None:
        if not self.lasting:
            await asyncio.sleep(0)
            return
        if self._workers is None:
            self._workers = asyncio.Semaphore(self.count)
        async with self._workers:
            await asyncio.sleep(self.seconds(points))

    def keeps_apart(self, digest: str, tenant: str) -> bool:
        """As it is told."""
        del tenant
        return digest in self.apart

    async def warm(self, kind: Kind, points: int | None) -> None:
        """Compiles on all workers."""
        await asyncio.sleep(0)
        self.warmed.append(points)
        if points in self.refuses:
            raise service_error(Reason.COMPILATION_FAILED, "too many points")
        self.heat(kind, points, self.count)

    def heat(self, kind: Kind, points: int | None, workers: int = 1) -> None:
        """Makes a bucket warm."""
        key = (kind, bucket(points))
        self._warm[key] = max(workers, self._warm.get(key, 0))

    def warmth(self, kind: Kind, points: int | None) -> int:
        """How many workers are warm."""
        return self._warm.get((kind, bucket(points)), 0)

    def make_way(self) -> None:
        """Counts how often it was said."""
        self.made_way += 1

    def attach(self, segment: Segment) -> None:
        """There is no shared memory."""
        raise NotImplementedError(segment)

    def detach(self, segment: Segment) -> None:
        """There is no shared memory."""
        raise NotImplementedError(segment)

    @property
    def workers(self) -> tuple[WorkerStatus, ...]:
        """As many as there are."""
        return tuple(
            WorkerStatus(f"cpu:{number}", WorkerState.READY, None, None, 0, 0) for number in range(self.count)
        )

    async def changed(self) -> None:
        """Nothing changes."""
        await asyncio.Event().wait()


def bucket(points: int | None) -> int:
    """The bucket of a batch, as workers have it."""
    return 0 if points is None else 1 << (points - 1).bit_length()


def point(first: float) -> Evaluation:
    """A single point of six values, which begin with the one that is given."""
    values = np.arange(6.0).reshape(2, 3)
    values[0, 0] = first
    return Evaluation(POINT, (values.tobytes(),))


def batch(*firsts: float) -> Evaluation:
    """A batch of points, each of six equal values."""
    return Evaluation(BATCH, (np.repeat(np.array(firsts), 6).tobytes(),), len(firsts))


def values(outcome: Outcome) -> np.ndarray:
    """The first result of an outcome."""
    (result,) = outcome.results[0]
    return np.frombuffer(result.data, result.type.element.dtype).reshape(result.type.shape)
