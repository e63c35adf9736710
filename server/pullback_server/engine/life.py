"""One life of a worker process: it starts, proves itself, works, and dies for a reason."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Final

from pullback_server.engine.bounds import Bounds
from pullback_server.engine.channel import Channel
from pullback_server.engine.crossing import Shared
from pullback_server.engine.deaths import Death, Fate, WorkerGoneError, death_of, gone
from pullback_server.engine.devices import Placement
from pullback_server.engine.interface import Source
from pullback_server.engine.process import Launch, start_process
from pullback_server.engine.quarantine import Quarantine
from pullback_server.engine.session import Session
from pullback_server.engine.strays import Strays
from pullback_server.engine.system import is_stopped, starvations
from pullback_server.engine.watch import Watch
from pullback_server.errors import ServiceError
from pullback_server.model.board import Occupancy
from pullback_server.model.devices import WorkerDescription

_LOOK_SECONDS: Final = 0.25


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What all lives have in common.

    Attributes:
        launch: How processes are started.
        source: Where programs come from.
        shared: The memory that processes get to map.
        bounds: What they may take.
        quarantine: Where programs are blamed.
        strays: Where it is noted what was left running.
    """

    launch: Launch
    source: Source
    shared: Shared
    bounds: Bounds
    quarantine: Quarantine
    strays: Strays


class Life:
    """A process that was started just now.

    Args:
        placement: Where it computes.
        circumstances: What it has in common with others.

    Attributes:
        session: What asks it.
        description: Its device and versions; None until it has begun.

    Raises:
        OSError: If the process cannot be started.
    """

    def __init__(self, placement: Placement, circumstances: Circumstances) -> None:
        self._process = start_process(circumstances.launch, placement)
        self._channel = Channel(self._process.connection)
        self._start_seconds = circumstances.launch.start_seconds
        self._silent_seconds = circumstances.bounds.silent_seconds
        self._death: Death | None = None
        self._course: asyncio.Task[Death] | None = None
        self._starvations = starvations()
        self.session = Session(self._channel, circumstances.source, circumstances.shared)
        self.description: WorkerDescription | None = None
        self._watch = Watch(
            self._process,
            self._channel,
            self.session,
            circumstances.bounds,
            circumstances.quarantine,
            circumstances.strays,
            self.kill,
        )

    @property
    def occupancy(self) -> Occupancy | None:
        """How much of its device's memory it has; None where that is not known."""
        return self._process.board.occupancy

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def is_open(self) -> bool:
        """Whether it goes on, as far as is known."""
        return self._channel.is_open

    async def begin(self) -> str:
        """Waits until the process is ready and has answered a probe; from then on it is watched.

        Returns:
            Why it is of no use, in which case it has ended; empty if it is of use.
        """
        try:
            why = await self._prove()
        except asyncio.CancelledError:
            await self.discard()
            raise
        if why:
            await self.discard()
        else:
            self._course = asyncio.create_task(self._run())
        return why

    async def over(self) -> None:
        """Returns when it is over, though the process may still be there."""
        await self._channel.closed()

    async def death(self) -> Death:
        """Returns when the process has ended, and all who waited for its answers know."""
        if self._course is None:
            return await self._end()
        return await asyncio.shield(self._course)

    def hang_up(self) -> None:
        """Has it end when it comes to it, since the server stops."""
        self._death = self._death or Death("the server stops", blamable=False)
        self._process.hang_up()

    def kill(self, death: Death) -> None:
        """Ends it at once, for a reason."""
        if self._death is None:
            self._death = death
            self._process.kill()
            self._channel.close(death.how)

    async def discard(self) -> None:
        """Ends it at once, since nobody needs it; nothing is left of it when this returns."""
        self.kill(Death("it was not needed any more", blamable=False))
        await self.death()

    async def _prove(self) -> str:
        try:
            async with asyncio.timeout(self._start_seconds):
                await self._unless_hopeless(self._proof())
        except TimeoutError:
            return f"it takes longer than {self._start_seconds} s"
        except (WorkerGoneError, ServiceError) as error:
            return str(error)
        return ""

    async def _proof(self) -> None:
        self.description = await self._channel.open()
        await self.session.probe()

    async def _unless_hopeless(self, proof: Coroutine[Any, Any, None]) -> None:
        """Waits for what never comes once it is over, since that is told only when the process has ended.

        Nor does it come while the process is stopped, which nobody else watches yet.
        """
        proven, over = asyncio.create_task(proof), asyncio.create_task(self._channel.closed())
        stopped = asyncio.create_task(self._stopped())
        try:
            await asyncio.wait((proven, over, stopped), return_when=asyncio.FIRST_COMPLETED)
            if proven.done():
                proven.result()
            elif stopped.done():
                raise gone("it was stopped before it had answered a probe")
            else:
                raise gone("it ended before it had answered a probe")
        finally:
            for task in (proven, over, stopped):
                task.cancel()

    async def _stopped(self) -> None:
        """Returns when somebody has stopped the process for longer than it may be silent."""
        silent = 0.0
        while silent <= self._silent_seconds:
            await asyncio.sleep(_LOOK_SECONDS)
            silent = silent + _LOOK_SECONDS if is_stopped(self.pid) else 0.0

    async def _run(self) -> Death:
        watching = asyncio.create_task(self._watch.run())
        await self._channel.closed()
        watching.cancel()
        return await self._end()

    async def _end(self) -> Death:
        """Ends it, and tells all who still wait for its answers what that means for them."""
        self._channel.close("it ends")
        if self._channel.nonsense:
            self._process.kill()
        status = await self._process.end()
        death = self._death or self._autopsy(status)
        self._channel.reaped(lambda id_: Fate(death, id_ in death.running))
        return death

    def _autopsy(self, status: int) -> Death:
        """Of what a process died that nobody here killed on purpose."""
        running = frozenset(work.id for work in self._process.board.works())
        if self._channel.nonsense:
            return Death(f"it made no sense: {self._channel.nonsense}", running)
        return death_of(status, running, starved=starvations() > self._starvations)
