"""Processes that wait, started and proved, to take the place of one that dies."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from pullback_server.engine.devices import Placement
from pullback_server.engine.life import Circumstances, Life

_log = logging.getLogger(__name__)

_PAUSE_SECONDS: Final = 1.0
_LONGEST_PAUSE_SECONDS: Final = 60.0


class Spares:
    """Keeps some processes waiting. They hold what a process needs that has imported JAX, and no device.

    Args:
        count: How many.
        placement: Where they would compute; not exclusive.
        circumstances: What all lives have in common.
    """

    def __init__(self, count: int, placement: Placement, circumstances: Circumstances) -> None:
        self._count = count
        self._placement = placement
        self._circumstances = circumstances
        self._waiting: list[Life] = []
        self._taken = asyncio.Event()

    @property
    def waiting(self) -> int:
        """How many processes wait."""
        return sum(life.is_open for life in self._waiting)

    def take(self) -> Life | None:
        """A process that is ready, for which another is started; None if there is none."""
        for life in self._waiting:
            if life.is_open:
                self._waiting.remove(life)
                self._taken.set()
                return life
        return None

    async def run(self) -> None:
        """Keeps them until cancelled; then ends those that nobody took."""
        pause = 0.0
        try:
            while self._count:
                if len(self._waiting) < self._count:
                    useful = await self._start()
                    pause = 0.0 if useful else min(2 * pause or _PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS)
                    await asyncio.sleep(pause)
                else:
                    await self._change()
        finally:
            await asyncio.gather(*(life.discard() for life in self._waiting))

    async def _start(self) -> bool:
        try:
            life = Life(self._placement, self._circumstances)
        except OSError as error:
            _log.warning("a spare worker cannot be started: %s", error)
            return False
        if why := await life.begin():
            _log.warning("a spare worker is of no use: %s", why)
            return False
        self._waiting.append(life)
        return True

    async def _change(self) -> None:
        """Returns when one was taken or has died."""
        ends = (life.over() for life in self._waiting)
        waits = [asyncio.create_task(wait) for wait in (self._taken.wait(), *ends)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        self._taken.clear()
        for life in [life for life in self._waiting if not life.is_open]:
            self._waiting.remove(life)
            await life.death()
