"""Watches one worker process: signs of life, time, memory, and whether its answers are right.

Looks a few times a second at what the process notes on its board and at what the system says of it, so that
requests pay nothing for being watched.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

from pullback_server.engine.bounds import Bounds
from pullback_server.engine.channel import Channel
from pullback_server.engine.deaths import Death, WorkerGoneError
from pullback_server.engine.process import WorkerProcess
from pullback_server.engine.quarantine import Quarantine
from pullback_server.engine.session import Session
from pullback_server.engine.strays import Strays
from pullback_server.engine.system import is_stopped, own_memory
from pullback_server.errors import Reason, ServiceError, service_error
from pullback_server.model.board import Work
from pullback_server.model.messages import Abandon

_LOOK_SECONDS: Final = 0.25
_MEMORY_SECONDS: Final = 1.0
# A front that stood still itself has not seen that a worker did.
_MOST_SECONDS_A_LOOK: Final = 1.0
# MLIR holds Python's lock while it reads and writes modules: 1.7 s for 23 MiB of text, so 5 s for the largest
# program, and more on a busy machine. What is being prepared has so many times longer to be silent.
_PREPARING_PATIENCE: Final = 3
# The heart beats as often as is looked; what is silent for longer stands still.
_STILL_SECONDS: Final = 0.6


class Watch:
    """Watches a process that is ready.

    Args:
        process: The process.
        channel: The conversation with it.
        session: What asks it.
        bounds: What it may take.
        quarantine: Where programs are blamed that took too long.
        strays: Where it is noted what was left running.
        kill: Ends the process, for the death that is given.
    """

    def __init__(
        self,
        process: WorkerProcess,
        channel: Channel,
        session: Session,
        bounds: Bounds,
        quarantine: Quarantine,
        strays: Strays,
        kill: Callable[[Death], None],
    ) -> None:
        self._process = process
        self._channel = channel
        self._session = session
        self._bounds = bounds
        self._quarantine = quarantine
        self._strays = strays
        self._kill = kill
        self._beats = 0
        self._silent = 0.0
        self._still = 0.0
        self._still_before: dict[int, float] = {}
        self._abandoned: dict[int, float] = {}
        self._answered = 0
        self._answered_at = time.monotonic()
        self._weighed = 0.0
        self._probe: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Watches until the conversation ends or this is cancelled."""
        last = time.monotonic()
        try:
            while self._channel.is_open:
                await asyncio.sleep(_LOOK_SECONDS)
                now = time.monotonic()
                self._look(now, min(now - last, _MOST_SECONDS_A_LOOK))
                last = now
        finally:
            if self._probe is not None:
                self._probe.cancel()

    def _look(self, now: float, elapsed: float) -> None:
        if not self._channel.is_open:
            return
        asked = self._channel.asked
        works = [work for work in self._process.board.works() if work.id in asked] if asked else []
        self._still_before = {work.id: self._still_before.get(work.id, self._still) for work in works}
        death = (
            self._silence(works, elapsed)
            or self._overdue(works, now)
            or self._abandonment(works, now)
            or self._greed(works, now)
        )
        if death is not None:
            self._kill(death)
        else:
            self._listen(now)

    def _silence(self, works: list[Work], elapsed: float) -> Death | None:
        """The death of a process that shows no sign of life."""
        self._listen_to_the_heart(elapsed)
        if self._silent <= self._bounds.silent_seconds:
            return None
        if is_stopped(self._process.pid):
            return Death(f"it was stopped for {self._silent:.0f} s", _numbers(works), blamable=False)
        patience = _PREPARING_PATIENCE if any(work.preparing for work in works) else 1
        if self._silent <= patience * self._bounds.silent_seconds:
            return None
        return Death(f"it showed no sign of life for {self._silent:.0f} s", _numbers(works))

    def _listen_to_the_heart(self, elapsed: float) -> None:
        beats, before = self._process.board.beats, self._silent
        self._silent = before + elapsed if beats == self._beats else 0.0
        self._beats = beats
        if self._silent > _STILL_SECONDS:
            self._still += elapsed if before > _STILL_SECONDS else self._silent

    def _ran(self, work: Work, now: float) -> float:
        """For how long something is being worked at.

        A run stands still with the process while something else there is prepared that holds Python's lock,
        and that is not held against it.
        """
        still = 0.0 if work.preparing else self._still - self._still_before[work.id]
        return now - work.since - still

    def _overdue(self, works: list[Work], now: float) -> Death | None:
        """The death of a process in which something takes longer than the server allows."""
        death = None
        for work in works:
            limit = self._bounds.compile_seconds if work.preparing else self._bounds.run_seconds
            seconds = self._ran(work, now)
            if limit and seconds > limit:
                if is_stopped(self._process.pid):
                    # It has not run all that time, so it is asked of another.
                    return Death(f"it was stopped for {self._silent:.0f} s", _numbers(works), blamable=False)
                error = _overdue(work, seconds, limit)
                self._channel.fail(work.id, error)
                self._blame(work, error.message)
                death = Death(error.message, blamable=False)
        return death

    def _blame(self, work: Work, why: str) -> None:
        asked = self._channel.asked[work.id]
        if asked.digest:
            self._quarantine.blame(asked.digest, why, asked.tenant)

    def _abandonment(self, works: list[Work], now: float) -> Death | None:
        """The death of a process that goes on with what nobody waits for."""
        asked = self._channel.asked
        left = [id_ for id_, each in asked.items() if each.answer.done()]
        for id_ in left:
            if id_ not in self._abandoned:
                self._channel.tell(Abandon(id_))
        self._abandoned = {id_: self._abandoned.get(id_, now) for id_ in left}
        if not left:
            return None
        wanted = {each.digest for each in asked.values() if not each.answer.done()}
        for work in works:
            stray = asked[work.id]
            patience = self._patience(work, common=stray.digest in wanted)
            if work.id in self._abandoned and now - self._abandoned[work.id] >= patience:
                self._strays.left(stray.digest, stray.tenant)
                return Death("it went on with what nobody waited for", blamable=False)
        return None

    def _patience(self, work: Work, *, common: bool) -> float:
        """For how many seconds a process may go on with what nobody waits for."""
        bounds = self._bounds
        return bounds.abandoned_seconds + max(
            bounds.kept_seconds if work.preparing else 0.0, bounds.common_seconds if common else 0.0
        )

    def _greed(self, works: list[Work], now: float) -> Death | None:
        """The death of a process that takes too much memory."""
        limit = self._bounds.memory_bytes
        if not limit or now - self._weighed < _MEMORY_SECONDS:
            return None
        self._weighed = now
        nbytes = own_memory(self._process.pid)
        if nbytes <= limit:
            return None
        return Death(
            f"it took {nbytes} bytes of memory, and {limit} are allowed (max_worker_memory_bytes)",
            _numbers(works),
            reason=Reason.DEVICE_MEMORY_EXCEEDED,
            metadata={"value": str(nbytes), "limit": str(limit), "setting": "max_worker_memory_bytes"},
        )

    def _listen(self, now: float) -> None:
        """Probes a process that has given no answer for a while, unless it is busy."""
        if self._channel.answered != self._answered:
            self._answered, self._answered_at = self._channel.answered, now
        quiet = now - self._answered_at >= self._bounds.probe_seconds
        if quiet and not self._channel.asked and (self._probe is None or self._probe.done()):
            self._probe = asyncio.create_task(self._ask())

    async def _ask(self) -> None:
        """One probe; a process that fails it is killed."""
        try:
            async with asyncio.timeout(self._bounds.probe_seconds):
                await self._session.probe()
        except TimeoutError:
            if len(self._channel.asked) <= 1:  # else it waits behind what others ask
                self._kill(Death("it did not answer a probe", blamable=False))
        except WorkerGoneError:
            return
        except ServiceError as error:
            self._kill(Death(f"it failed a probe: {error.message}", blamable=False))


def _numbers(works: list[Work]) -> frozenset[int]:
    return frozenset(work.id for work in works)


def _overdue(work: Work, seconds: float, limit: float) -> ServiceError:
    reason, what, setting = (
        (Reason.COMPILE_TIME_EXCEEDED, "was read and compiled", "max_compile_seconds")
        if work.preparing
        else (Reason.RUN_TIME_EXCEEDED, "ran", "max_run_seconds")
    )
    return service_error(
        reason,
        f"it {what} for {seconds:.1f} s, and the server's limit ({setting}) is {limit:g} s; ask for less "
        "at a time, or have the limit raised",
        value=f"{seconds:.3f}",
        limit=f"{limit:g}",
        setting=setting,
    )
