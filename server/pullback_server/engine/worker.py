"""A worker: keeps one process alive, starting it again whenever it dies."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Final, assert_never

from pullback_server.engine.channel import Channel, WorkerGoneError
from pullback_server.engine.crossing import Shared
from pullback_server.engine.devices import Placement
from pullback_server.engine.figures import WorkerFigures
from pullback_server.engine.interface import Source, WorkerState, WorkerStatus
from pullback_server.engine.process import Launch, WorkerProcess, start_process
from pullback_server.engine.session import Session
from pullback_server.model.devices import WorkerDescription

_log = logging.getLogger(__name__)

_SETTLED_SECONDS: Final = 10.0
_FIRST_PAUSE_SECONDS: Final = 0.25
_LONGEST_PAUSE_SECONDS: Final = 30.0
_SOON_SECONDS: Final = 2.0


class Worker:
    """One place for a process, which is started, watched and started again.

    A process that dies after it was well is replaced at once. One that dies young is replaced after a
    pause that doubles each time.

    Args:
        placement: Where it computes.
        launch: How its process is started.
        source: Where programs come from.
        shared: The memory that its process gets to map.
        changed: Called whenever the worker's state changes.
    """

    def __init__(
        self,
        placement: Placement,
        launch: Launch,
        source: Source,
        shared: Shared,
        changed: Callable[[], None],
    ) -> None:
        self._placement = placement
        self._launch = launch
        self._source = source
        self._shared = shared
        self._changed = changed
        self._stopping = asyncio.Event()
        self._state = WorkerState.STOPPED
        self._process: WorkerProcess | None = None
        self._session: Session | None = None
        self._description: WorkerDescription | None = None
        self._figures = WorkerFigures()
        self._deaths = 0
        self._young_deaths = 0

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
            self._process.pid if self._process else None,
            self._description,
            self._deaths,
            self._session.in_flight if self._session else 0,
            self._figures,
        )

    async def run(self) -> None:
        """Keeps a process alive until `stop` is called; then ends it."""
        while not self._stopping.is_set():
            self._set(WorkerState.STARTING)
            await self._live()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), self._pause())
        self._set(WorkerState.STOPPED)

    def stop(self) -> None:
        """Has `run` end the process and return."""
        self._stopping.set()
        if self._process is not None:
            self._process.hang_up()

    def _pause(self) -> float:
        if self._young_deaths == 0:
            return 0.0
        return min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2.0 ** min(self._young_deaths - 1, 16))

    async def _live(self) -> None:
        """One life of a process."""
        try:
            process = start_process(self._launch, self._placement)
        except OSError:
            self._young_deaths += 1
            self._set(WorkerState.WAITING)
            _log.exception("worker %s cannot be started", self._placement.name)
            return
        self._process = process
        channel = Channel(process.connection)
        settled = await self._converse(channel)
        self._session = None
        self._deaths += 1
        self._young_deaths = 0 if settled else self._young_deaths + 1
        self._set(WorkerState.WAITING)
        channel.close()
        status = await process.end()
        channel.reaped()
        self._process = None
        if not self._stopping.is_set():
            name = self._placement.name
            _log.error("worker %s (process %d) died: %s", name, process.pid, _describe(status))

    async def _converse(self, channel: Channel) -> bool:
        """Makes the worker available until it goes; says whether it was there for long."""
        began = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(self._launch.start_seconds):
                self._description = await channel.open()
        except (WorkerGoneError, TimeoutError) as error:
            if not self._stopping.is_set():
                why = str(error) or f"it takes longer than {self._launch.start_seconds} s"
                _log.error("worker %s did not become ready: %s", self._placement.name, why)
            return False
        self._session = Session(channel, self._source, self._shared, self._figures)
        self._set(WorkerState.READY)
        ready = asyncio.get_running_loop().time()
        _log.info("worker %s is ready after %.2f s", self._placement.name, ready - began)
        await channel.closed()
        return asyncio.get_running_loop().time() - ready > _SETTLED_SECONDS

    def _set(self, state: WorkerState) -> None:
        self._state = state
        self._changed()


def _describe(status: int) -> str:
    return f"killed by signal {-status}" if status < 0 else f"exit status {status}"
