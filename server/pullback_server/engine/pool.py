"""The engine of one machine: local worker processes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final, TypeVar

from pullback.graphs.data import Graph
from pullback_server.engine.arena import Arena
from pullback_server.engine.bounds import Bounds
from pullback_server.engine.cell import Cell
from pullback_server.engine.crossing import Shared
from pullback_server.engine.deadlines import before
from pullback_server.engine.deaths import Death, Fate, WorkerGoneError
from pullback_server.engine.devices import Placement
from pullback_server.engine.interface import Engine, Source, WorkerStatus
from pullback_server.engine.life import Circumstances
from pullback_server.engine.process import Launch
from pullback_server.engine.quarantine import Quarantine
from pullback_server.engine.session import Session
from pullback_server.engine.spares import Spares
from pullback_server.engine.strays import Strays
from pullback_server.engine.worker import Worker
from pullback_server.errors import Reason, ServiceError, service_error
from pullback_server.model.evaluation import Compilation, Evaluation, Kind, Outcome
from pullback_server.model.functions import Findings
from pullback_server.model.graphs import GraphQuery
from pullback_server.model.memory import Segment
from pullback_server.model.tickets import ticket

_log = logging.getLogger(__name__)
_T = TypeVar("_T")

_RETRY_SECONDS: Final = 1.0
# What merely waits where workers die is repeated freely; so often it is beyond belief.
_MOST_REPEATS: Final = 100
# What lost so many workers to others goes on where there are no others.
_MOST_LOST: Final = 3
_IDLE_SECONDS: Final = 0.01


class LocalPool(Engine):
    """Worker processes on this machine; each call goes to the one with the least in hand.

    Functions are pure, so what a worker had in hand when it died is asked of another: freely if it merely
    waited there, and a bounded number of times if it ran. What ran when a worker crashed runs alone from then
    on, so that the program that kills is found, and no other call dies with it again; and so does what has
    lost several workers to others, so that it comes to its end.

    Args:
        placements: Where the workers compute, one each.
        source: Where programs come from that a worker lacks.
        launch: How worker processes are started.
        arena: Where large tensors cross; without one they are sent.
        bounds: What workers may take.
        quarantine: Which programs are refused.
        spares: How many processes wait to take the place of one that dies; 0 where placements are exclusive.
        strays: Which programs were left running.
    """

    def __init__(
        self,
        placements: Sequence[Placement],
        source: Source,
        launch: Launch,
        arena: Arena | None = None,
        bounds: Bounds | None = None,
        quarantine: Quarantine | None = None,
        spares: int = 0,
        strays: Strays | None = None,
    ) -> None:
        self._segments: dict[int, Segment] = {}
        self._bounds = bounds or Bounds()
        self._quarantine = quarantine or Quarantine()
        shared = Shared(arena, self._segments)
        self._strays = strays or Strays()
        circumstances = Circumstances(launch, source, shared, self._bounds, self._quarantine, self._strays)
        self._spares = Spares(spares, placements[0], circumstances)
        exclusive = any(placement.exclusive for placement in placements)
        self._cell = None if exclusive else Cell(placements[0], circumstances, self._spares)
        self._reserving = asyncio.Lock()
        self._reserved: Session | None = None
        self._workers = [
            Worker(placement, circumstances, self._spares, self._wake) for placement in placements
        ]
        self._lives: list[asyncio.Task[None]] = []
        self._waiting: asyncio.Task[None] | None = None
        self._change = asyncio.Event()
        self._ready: tuple[Session, ...] = ()
        self._makes_way = False

    @property
    def workers(self) -> tuple[WorkerStatus, ...]:
        """All workers, as they are now."""
        return tuple(worker.status for worker in self._workers)

    async def start(self) -> None:
        """Starts the workers, without waiting until they are ready."""
        self._lives = [asyncio.create_task(worker.run()) for worker in self._workers]
        self._waiting = asyncio.create_task(self._keep_spares())
        await asyncio.sleep(0)

    async def stop(self) -> None:
        """Ends all workers; nothing of them is left when this returns."""
        for worker in self._workers:
            worker.stop()
        if self._waiting is not None:
            self._waiting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._waiting
        if self._cell is not None:
            await self._cell.close()
        await asyncio.gather(*self._lives)

    async def changed(self) -> None:
        """Returns when the state of a worker has changed since this was called."""
        await self._change.wait()

    async def load(self, digest: str, program: bytes) -> Findings:
        """Has one worker read and trace a program and survey its derivatives; others get it when needed."""
        return await self._asked(digest, lambda session: session.load(digest, program, survey=True))

    async def compile(self, compilation: Compilation) -> bool:
        """Compiles on one worker, and says whether the executable was there already."""
        return await self._asked(compilation.digest, lambda session: session.compile(compilation))

    async def graph(self, query: GraphQuery) -> Graph:
        """Has one worker give the graph of what an evaluation would run."""
        return await self._asked(query.compilation.digest, lambda session: session.graph(query))

    async def evaluate(
        self,
        evaluation: Evaluation,
        until: float | None = None,
        *,
        joined: bool = False,
        alone: bool = False,
    ) -> Outcome:
        """Evaluates on one worker: of those that are warm for it, else of all, the least busy."""
        kind = evaluation.kind
        if alone:
            return await self._repeated(
                kind.digest, lambda session: session.evaluate(evaluation, until), None, until
            )
        if not self._quarantine.empty:
            self._quarantine.check(kind.digest, ticket.get().tenant)
        session = await self._choose(kind, evaluation.points, until)
        try:
            return await session.evaluate(evaluation, until)
        except WorkerGoneError as error:
            fate = error.fate  # the error itself holds the call's frames, and these what it took of the arena
        if joined and fate.suspect and fate.death.blamable:
            raise fate.error(1)
        return await self._repeated(
            kind.digest, lambda session: session.evaluate(evaluation, until), fate, until
        )

    async def warm(self, kind: Kind, points: int | None) -> None:
        """Compiles on all ready workers that lack what so many points need."""
        self._quarantine.check(kind.digest, ticket.get().tenant)
        cold = [session for session in self._sessions() if not session.is_warm(kind, points)]
        outcomes = await asyncio.gather(
            *(session.warm(kind, points) for session in cold), return_exceptions=True
        )
        for outcome in outcomes:
            if isinstance(outcome, WorkerGoneError):
                # A worker that dies is replaced, and the next one is warmed when it is asked for.
                if outcome.fate.suspect and outcome.fate.death.blamable:
                    raise outcome.fate.error(1)
            elif isinstance(outcome, BaseException):
                raise outcome

    def warmth(self, kind: Kind, points: int | None) -> int:
        """How many ready workers have what so many points of a kind need."""
        warm = 0
        for session in self._sessions():
            warm += session.is_warm(kind, points)
        return warm

    def keeps_apart(self, digest: str, tenant: str) -> bool:
        """Whether it was left running too often, and is not refused for something worse."""
        return self._strays.alone(digest, tenant) and not self._quarantine.refuses(digest, tenant)

    def attach(self, segment: Segment) -> None:
        """Gives all workers a segment, those of the future included."""
        self._segments[segment.number] = segment
        for session in self._everyone():
            session.attach(segment)

    def detach(self, segment: Segment) -> None:
        """Takes a segment away from all workers."""
        del self._segments[segment.number]
        for session in self._everyone():
            session.detach(segment)

    def make_way(self) -> None:
        """Has long runs leave processors to others, on all workers, those of the future included."""
        self._makes_way = True
        for session in self._everyone():
            session.make_way()

    async def _asked(self, digest: str, call: Callable[[Session], Awaitable[_T]]) -> _T:
        self._quarantine.check(digest, ticket.get().tenant)
        session = await self._choose()
        try:
            return await call(session)
        except WorkerGoneError as error:
            fate = error.fate
        return await self._repeated(digest, call, fate)

    async def _repeated(
        self,
        digest: str,
        call: Callable[[Session], Awaitable[_T]],
        fate: Fate | None,
        until: float | None = None,
    ) -> _T:
        """Repeats a call as often as may be.

        Args:
            digest: The program that it is about.
            call: The call.
            fate: What became of it before; None if it is to run alone from the beginning.
            until: When nobody wants it any more.
        """
        alone, suspicions = fate is None, 0
        for repeats in range(_MOST_REPEATS):
            if fate is not None and fate.suspect:
                suspicions += 1
                self._judge(digest, fate.death, suspicions, alone=alone)
                alone = alone or fate.death.blamable
            alone = alone or repeats >= _MOST_LOST
            try:
                if alone:
                    async with before(until), self._alone() as session:
                        return await call(session)
                return await call(await self._choose(until=until))
            except WorkerGoneError as error:
                fate = error.fate
            _log.warning("a call about %s lost its worker: %s", digest, fate.death.how)
        raise _not_answered(_MOST_REPEATS)

    def _judge(self, digest: str, death: Death, suspicions: int, *, alone: bool) -> None:
        """Raises if a call that ran where a worker died is not to be repeated again."""
        if alone and death.blamable:
            self._quarantine.blame(digest, death.how, ticket.get().tenant)
            self._quarantine.check(digest, ticket.get().tenant)
        if suspicions > self._bounds.replays:
            raise Fate(death, suspect=True).error(suspicions)

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[Session]:
        """A session that does nothing else inside the block."""
        if self._cell is not None:
            async with self._cell.alone() as session:
                yield session
            return
        async with self._reserving:
            session = self._reserved = await self._choose()
            self._wake()
            try:
                while session.open and session.in_flight:  # noqa: ASYNC110 -- no call should pay for an event
                    await asyncio.sleep(_IDLE_SECONDS)
                yield session
            finally:
                self._reserved = None
                self._wake()

    async def _keep_spares(self) -> None:
        while not self.ready:
            await self.changed()
        await self._spares.run()

    def _sessions(self) -> tuple[Session, ...]:
        """Those of the workers that are ready."""
        for session in self._ready:
            if not session.open:  # its worker will say so, but has not yet
                self._ready = self._open()
                break
        return self._ready

    def _everyone(self) -> list[Session]:
        """Those of all workers and of the cell, also where something runs alone."""
        sessions = [worker.session for worker in self._workers]
        if self._cell is not None:
            sessions.append(self._cell.session)
        return [session for session in sessions if session is not None]

    def _open(self) -> tuple[Session, ...]:
        sessions = (worker.session for worker in self._workers)
        return tuple(each for each in sessions if each is not None and each is not self._reserved)

    async def _choose(
        self, kind: Kind | None = None, points: int | None = None, until: float | None = None
    ) -> Session:
        while True:
            sessions = self._sessions()
            if len(sessions) == 1:
                return sessions[0]
            if sessions:
                warm = [session for session in sessions if kind is not None and session.is_warm(kind, points)]
                return min(warm or sessions, key=lambda session: session.in_flight)
            if not any(worker.expected for worker in self._workers):
                raise self._not_ready()
            async with before(until):
                await self.changed()

    def _not_ready(self) -> ServiceError:
        states = ", ".join(f"{worker.name} is {worker.state}" for worker in self.workers)
        return service_error(
            Reason.NOT_READY, f"no worker is ready ({states}); try again", retry_delay=_RETRY_SECONDS
        )

    def _wake(self) -> None:
        self._ready = self._open()
        if self._makes_way:
            self.make_way()
        self._change.set()
        self._change = asyncio.Event()


def _not_answered(times: int) -> ServiceError:
    return service_error(
        Reason.WORKER_DIED,
        f"{times} worker processes died before they came to this call; the server's log tells of what",
    )
