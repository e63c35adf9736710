"""The cell: where a request runs alone that may have killed a worker, so that blame becomes certain."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pullback_server.engine.devices import Placement
from pullback_server.engine.life import Circumstances, Life
from pullback_server.engine.session import Session
from pullback_server.engine.spares import Spares
from pullback_server.errors import Reason, ServiceError, service_error


class Cell:
    """A process besides the workers, there only while somebody needs it; one request at a time.

    Args:
        placement: Where it computes; not exclusive.
        circumstances: What all lives have in common.
        spares: Where a process may wait that can be taken.
    """

    def __init__(self, placement: Placement, circumstances: Circumstances, spares: Spares) -> None:
        self._placement = placement
        self._circumstances = circumstances
        self._spares = spares
        self._lock = asyncio.Lock()
        self._queue = 0
        self._closed = False
        self._life: Life | None = None

    @property
    def session(self) -> Session | None:
        """What asks its process; None where there is none."""
        return self._life.session if self._life is not None and self._life.is_open else None

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[Session]:
        """A session that nobody else uses, inside the block.

        Raises:
            ServiceError: NOT_READY if no process can be started.
        """
        self._queue += 1
        try:
            async with self._lock:
                if self._life is None or not self._life.is_open:
                    self._life = self._spares.take() or await self._start()
                    self._life.session.outfit()
                try:
                    yield self._life.session
                except BaseException:  # the process may go on with it, and the next one is to be alone
                    await self._end()
                    raise
        finally:
            self._queue -= 1
            if not self._queue:
                await self._end()

    async def close(self) -> None:
        """Ends the process, if there is one, and starts none any more."""
        self._closed = True
        await self._end()

    async def _end(self) -> None:
        life, self._life = self._life, None
        if life is not None:
            await life.discard()

    async def _start(self) -> Life:
        if self._closed:
            raise _not_ready("the server stops")
        try:
            life = Life(self._placement, self._circumstances)
            why = await life.begin()
        except OSError as error:
            why = str(error)
        if why:
            raise _not_ready(why)
        return life


def _not_ready(why: str) -> ServiceError:
    return service_error(
        Reason.NOT_READY,
        f"the worker died with this call in hand, and no other can be started for it ({why}); try again",
        retry_delay=1.0,
    )
