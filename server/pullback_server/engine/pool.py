"""The engine of one machine: local worker processes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

from pullback.graphs.data import Graph
from pullback_server.engine.arena import Arena
from pullback_server.engine.channel import WorkerGoneError
from pullback_server.engine.crossing import Shared
from pullback_server.engine.devices import Placement
from pullback_server.engine.interface import Engine, Source, WorkerStatus
from pullback_server.engine.process import Launch
from pullback_server.engine.session import Session
from pullback_server.engine.worker import Worker
from pullback_server.errors import Reason, ServiceError, service_error
from pullback_server.model.evaluation import Compilation, Evaluation, Kind, Outcome
from pullback_server.model.functions import Findings
from pullback_server.model.graphs import GraphQuery
from pullback_server.model.memory import Segment

_log = logging.getLogger(__name__)
_T = TypeVar("_T")

_ATTEMPTS: Final = 2
_RETRY_SECONDS: Final = 1.0


class LocalPool(Engine):
    """Worker processes on this machine; each call goes to the one with the least in hand.

    Functions are pure, so what a worker had in hand when it died is asked once more of another.

    Args:
        placements: Where the workers compute, one each.
        source: Where programs come from that a worker lacks.
        launch: How worker processes are started.
        arena: Where large tensors cross; without one they are sent.
    """

    def __init__(
        self, placements: Sequence[Placement], source: Source, launch: Launch, arena: Arena | None = None
    ) -> None:
        self._segments: dict[int, Segment] = {}
        shared = Shared(arena, self._segments)
        self._workers = [Worker(placement, launch, source, shared, self._wake) for placement in placements]
        self._lives: list[asyncio.Task[None]] = []
        self._change = asyncio.Event()
        self._ready: tuple[Session, ...] = ()

    @property
    def workers(self) -> tuple[WorkerStatus, ...]:
        """All workers, as they are now."""
        return tuple(worker.status for worker in self._workers)

    async def start(self) -> None:
        """Starts the workers, without waiting until they are ready."""
        self._lives = [asyncio.create_task(worker.run()) for worker in self._workers]
        await asyncio.sleep(0)

    async def stop(self) -> None:
        """Ends all workers; nothing of them is left when this returns."""
        for worker in self._workers:
            worker.stop()
        await asyncio.gather(*self._lives)

    async def changed(self) -> None:
        """Returns when the state of a worker has changed since this was called."""
        await self._change.wait()

    async def load(self, digest: str, program: bytes) -> Findings:
        """Has one worker read and trace a program and survey its derivatives; others get it when needed."""
        return await self._replayed(lambda session: session.load(digest, program, survey=True))

    async def compile(self, compilation: Compilation) -> bool:
        """Compiles on one worker, and says whether the executable was there already."""
        return await self._replayed(lambda session: session.compile(compilation))

    async def graph(self, query: GraphQuery) -> Graph:
        """Has one worker give the graph of what an evaluation would run."""
        return await self._replayed(lambda session: session.graph(query))

    async def evaluate(self, evaluation: Evaluation, until: float | None = None) -> Outcome:  # noqa: ARG002
        """Evaluates on one worker: of those that are warm for it, else of all, the least busy."""
        for _ in range(_ATTEMPTS):
            session = await self._choose(evaluation.kind, evaluation.points)
            try:
                return await session.evaluate(evaluation)
            except WorkerGoneError as error:
                # As text: the error holds the call's frames, and these what it took of the arena.
                _log.warning("an evaluation lost its worker: %s", str(error))
        raise _died()

    async def warm(self, kind: Kind, points: int | None) -> None:
        """Compiles on all ready workers that lack what so many points need."""
        cold = [session for session in self._sessions() if not session.is_warm(kind, points)]
        outcomes = await asyncio.gather(
            *(session.warm(kind, points) for session in cold), return_exceptions=True
        )
        for outcome in outcomes:
            # A worker that dies is replaced, and the next one is warmed when it is asked for.
            if isinstance(outcome, BaseException) and not isinstance(outcome, WorkerGoneError):
                raise outcome

    def warmth(self, kind: Kind, points: int | None) -> int:
        """How many ready workers have what so many points of a kind need."""
        warm = 0
        for session in self._sessions():
            warm += session.is_warm(kind, points)
        return warm

    def attach(self, segment: Segment) -> None:
        """Gives all workers a segment, those of the future included."""
        self._segments[segment.number] = segment
        for session in self._sessions():
            session.attach(segment)

    def detach(self, segment: Segment) -> None:
        """Takes a segment away from all workers."""
        del self._segments[segment.number]
        for session in self._sessions():
            session.detach(segment)

    async def _replayed(self, call: Callable[[Session], Awaitable[_T]]) -> _T:
        for _ in range(_ATTEMPTS):
            session = await self._choose()
            try:
                return await call(session)
            except WorkerGoneError as error:
                _log.warning("a call lost its worker: %s", str(error))
        raise _died()

    def _sessions(self) -> tuple[Session, ...]:
        """Those of the workers that are ready."""
        for session in self._ready:
            if not session.open:  # its worker will say so, but has not yet
                self._ready = self._open()
                break
        return self._ready

    def _open(self) -> tuple[Session, ...]:
        return tuple(session for worker in self._workers if (session := worker.session) is not None)

    async def _choose(self, kind: Kind | None = None, points: int | None = None) -> Session:
        while True:
            sessions = self._sessions()
            if len(sessions) == 1:
                return sessions[0]
            if sessions:
                warm = [session for session in sessions if kind is not None and session.is_warm(kind, points)]
                return min(warm or sessions, key=lambda session: session.in_flight)
            if not any(worker.expected for worker in self._workers):
                raise self._not_ready()
            await self.changed()

    def _not_ready(self) -> ServiceError:
        states = ", ".join(f"{worker.name} is {worker.state}" for worker in self.workers)
        return service_error(
            Reason.NOT_READY, f"no worker is ready ({states}); try again", retry_delay=_RETRY_SECONDS
        )

    def _wake(self) -> None:
        self._ready = self._open()
        self._change.set()
        self._change = asyncio.Event()


def _died() -> ServiceError:
    return service_error(
        Reason.WORKER_DIED,
        "the worker process died with this call in hand, and again when the call was repeated; "
        "the program may crash the compiler or need more memory than there is",
    )
