"""The engine, as everything above it knows it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum

from pullback.graphs.data import Graph
from pullback_server.engine.figures import WorkerFigures
from pullback_server.model.board import Occupancy
from pullback_server.model.devices import WorkerDescription
from pullback_server.model.evaluation import Compilation, Evaluation, Kind, Outcome
from pullback_server.model.functions import Findings
from pullback_server.model.graphs import GraphQuery
from pullback_server.model.memory import Segment


@dataclass(frozen=True, slots=True)
class Source:
    """Where workers' programs come from. Both raise a ServiceError where they cannot give what is asked.

    Attributes:
        program: Gives the serialized program of a digest.
        constant: Gives the bytes of a constant by their digest.
    """

    program: Callable[[str], Awaitable[bytes]]
    constant: Callable[[str], Awaitable[bytes]]


class WorkerState(StrEnum):
    """How a worker is."""

    STARTING = "starting"
    READY = "ready"
    WAITING = "waiting"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """One worker, as it is now.

    Attributes:
        name: Which it is, such as `cuda:0`.
        state: How it is; WAITING before it is started again.
        process: The process id; None where there is no process.
        description: Its device and versions, as it last said them; None before the first time.
        deaths: How often its process ended unasked.
        in_flight: How many requests it has in hand.
        figures: What it did since the server's start.
        occupancy: How much of its device's memory it has; None where that is not known.
    """

    name: str
    state: WorkerState
    process: int | None
    description: WorkerDescription | None
    deaths: int
    in_flight: int
    figures: WorkerFigures = field(default_factory=WorkerFigures)
    occupancy: Occupancy | None = None


class Engine(ABC):
    """Loads, compiles and evaluates programs on workers that may come and go.

    Every call may raise a ServiceError: NOT_READY where no worker is there or soon will be, QUARANTINED where
    the program has killed workers, WORKER_DIED or DEVICE_MEMORY_EXCEEDED where workers died with the call in
    hand each time that it was repeated, RUN_TIME_EXCEEDED and COMPILE_TIME_EXCEEDED where it takes longer
    than the server allows, and whatever the worker itself answers. What a call has begun ends soon after the
    task that waits for it was cancelled.
    """

    @abstractmethod
    async def start(self) -> None:
        """Starts the workers, without waiting until they are ready."""

    @abstractmethod
    async def stop(self) -> None:
        """Ends all workers; nothing of them is left when this returns."""

    @abstractmethod
    async def load(self, digest: str, program: bytes) -> Findings:
        """Has a worker read and trace a program.

        Args:
            digest: The program's digest.
            program: The serialized program.

        Returns:
            What is found in it.
        """

    @abstractmethod
    async def compile(self, compilation: Compilation) -> bool:
        """Compiles ahead, and says whether the executable was there already."""

    @abstractmethod
    async def graph(self, query: GraphQuery) -> Graph:
        """Gives the graph of what an evaluation would run."""

    @abstractmethod
    async def evaluate(
        self,
        evaluation: Evaluation,
        until: float | None = None,
        *,
        joined: bool = False,
        alone: bool = False,
    ) -> Outcome:
        """Evaluates, where possible on a worker that has what it needs compiled.

        Results lie in the place that the evaluation names, as far as they fit there, and else in memory
        that lives as long as the outcome's buffers.

        Args:
            evaluation: What to evaluate.
            until: When nobody wants it any more, on the clock of `time.monotonic`, upon which it fails with
                DEADLINE_EXCEEDED; None if never.
            joined: Whether it is made of several requests. If a worker crashes while it runs, it fails with
                WORKER_DIED at once, and each of them should be evaluated by itself, `alone`.
            alone: Whether to have it run where nothing else does, since it may kill its worker. It is not
                refused for what others of its program did.
        """

    @abstractmethod
    async def warm(self, kind: Kind, points: int | None) -> None:
        """Compiles what so many points of a kind need on all ready workers that lack it, then returns.

        Raises:
            ServiceError: The first failure, once all have ended.
        """

    @abstractmethod
    def warmth(self, kind: Kind, points: int | None) -> int:
        """How many ready workers have what so many points of a kind need, as far as is known."""

    @abstractmethod
    def keeps_apart(self, digest: str, tenant: str) -> bool:
        """Whether evaluations of a program for a tenant should run `alone`.

        They were left running too often, and each time a worker had to be ended with what others had there.
        """

    @abstractmethod
    def attach(self, segment: Segment) -> None:
        """Gives all workers, those of the future included, a segment that evaluations name places in.

        Its number must not be 0, which is the engine's own.
        """

    @abstractmethod
    def detach(self, segment: Segment) -> None:
        """Takes a segment away from all workers; what is in flight keeps it."""

    @abstractmethod
    def make_way(self) -> None:
        """Says that several share the workers, those of the future included.

        From now on what is not short leaves processors to what is, and to the front.
        """

    @property
    @abstractmethod
    def workers(self) -> tuple[WorkerStatus, ...]:
        """All workers, as they are now."""

    @property
    def ready(self) -> bool:
        """Whether at least one worker can take a request."""
        return any(worker.state is WorkerState.READY for worker in self.workers)

    @abstractmethod
    async def changed(self) -> None:
        """Returns when the state of a worker has changed since this was called."""
