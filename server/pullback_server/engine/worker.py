"""A worker: keeps one process alive, starting it again whenever it dies."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from typing import Final, assert_never

from pullback_server.engine.deaths import Death, WorkerGoneError
from pullback_server.engine.devices import Placement
from pullback_server.engine.figures import WorkerFigures
from pullback_server.engine.interface import WorkerState, WorkerStatus
from pullback_server.engine.kinds import DefinedKind
from pullback_server.engine.life import Circumstances, Life
from pullback_server.engine.session import Session
from pullback_server.engine.spares import Spares
from pullback_server.errors import Reason, ServiceError
from pullback_server.model.devices import WorkerDescription

_log = logging.getLogger(__name__)

_FIRST_PAUSE_SECONDS: Final = 0.25
_LONGEST_PAUSE_SECONDS: Final = 30.0
_SOON_SECONDS: Final = 2.0
# So many kinds are compiled again after a death, those first that were used last.
_REMEMBERED_KINDS: Final = 64


class Worker:
    """One place for a process, which is started, watched and started again.

    A process that dies after it was of use is replaced at once, by a spare one where there is one. One that
    dies before is replaced after a pause that doubles each time.

    Args:
        placement: Where it computes.
        circumstances: What all processes have in common.
        spares: Where processes may wait that can take its place.
        changed: Called whenever the worker's state changes.
    """

    def __init__(
        self,
        placement: Placement,
        circumstances: Circumstances,
        spares: Spares,
        changed: Callable[[], None],
    ) -> None:
        self._placement = placement
        self._circumstances = circumstances
        self._spares = spares
        self._changed = changed
        self._stopping = asyncio.Event()
        self._state = WorkerState.STOPPED
        self._life: Life | None = None
        self._session: Session | None = None
        self._description: WorkerDescription | None = None
        self._figures = WorkerFigures(placement.name)
        self._kinds: Sequence[DefinedKind] = ()
        self._deaths = 0
        self._useless = 0

    @property
    def session(self) -> Session | None:
        """What to ask; None while the worker is not ready."""
        return self._session if self._session and self._session.open else None

    @property
    def expected(self) -> bool:
        """Whether the worker, if it is not ready now, may be soon."""
        match self._state:
            case WorkerState.STARTING | WorkerState.READY:
                return True
            case WorkerState.WAITING:
                return self._pause() <= _SOON_SECONDS
            case WorkerState.STOPPED:
                return False
            case _:
                assert_never(self._state)

    @property
    def status(self) -> WorkerStatus:
        """How the worker is now."""
        return WorkerStatus(
            self._placement.name,
            self._state,
            self._life.pid if self._life else None,
            self._description,
            self._deaths,
            self._session.in_flight if self._session else 0,
            self._figures,
            self._life.occupancy if self._life else None,
        )

    async def run(self) -> None:
        """Keeps a process alive until `stop` is called; then ends it."""
        while not self._stopping.is_set():
            life = self._spares.take() or await self._start()
            if life is not None:
                await self._work(life)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), self._pause())
        self._set(WorkerState.STOPPED)

    def stop(self) -> None:
        """Has `run` end the process and return."""
        self._stopping.set()
        if self._life is not None:
            self._life.hang_up()

    def _pause(self) -> float:
        if self._useless == 0:
            return 0.0
        return min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2.0 ** min(self._useless - 1, 16))

    async def _start(self) -> Life | None:
        """A new process that is ready; None if it is of no use."""
        self._set(WorkerState.STARTING)
        began = asyncio.get_running_loop().time()
        try:
            self._life = Life(self._placement, self._circumstances)
            self._changed()
            why = await self._life.begin()
        except OSError as error:
            why = str(error)
        if not why:
            seconds = asyncio.get_running_loop().time() - began
            _log.info("worker %s is ready after %.2f s", self._placement.name, seconds)
            return self._life
        if not self._stopping.is_set():
            _log.error("worker %s did not become ready: %s", self._placement.name, why)
        self._buried(Death(f"it did not become ready: {why}", reason=Reason.NOT_READY))
        self._useless += 1
        self._set(WorkerState.WAITING)
        return None

    async def _work(self, life: Life) -> None:
        """Makes the worker available until its process dies."""
        self._life, self._session, self._description = life, life.session, life.description
        self._useless = 0
        life.session.outfit(self._figures)
        self._set(WorkerState.READY)
        if self._stopping.is_set():
            life.hang_up()
        warming = asyncio.create_task(_warm(life.session, self._kinds))
        await life.over()
        warming.cancel()
        self._set(WorkerState.WAITING)
        death = await life.death()
        self._kinds = life.session.kinds
        self._buried(death)
        if not self._stopping.is_set():
            _log.error("worker %s (process %d) died: %s", self._placement.name, life.pid, death.how)

    def _buried(self, death: Death) -> None:
        self._life = self._session = None
        self._figures.died(death)
        self._deaths += 1

    def _set(self, state: WorkerState) -> None:
        self._state = state
        self._changed()


async def _warm(session: Session, kinds: Sequence[DefinedKind]) -> None:
    """Has a new process compile what the one before had compiled, in the background."""
    for defined in kinds[:_REMEMBERED_KINDS]:
        for points in defined.warm:
            try:
                await session.warm(defined.kind, points)
            except WorkerGoneError:
                return
            except ServiceError as error:
                _log.info("program %s is not warmed again: %s", defined.kind.digest, error.message)
