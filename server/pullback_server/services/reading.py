"""Reads the requests of a stream until there are no more, or until the server takes no more."""

from __future__ import annotations

import asyncio
from typing import Any

from pullback_server.errors import ServiceError
from pullback_server.services.context import Context


class Reader:
    """Reads the messages of one call.

    Args:
        context: The call.
    """

    __slots__ = ("_context", "_end", "_waiting")

    def __init__(self, context: Context) -> None:
        self._context = context
        self._waiting: asyncio.Task[Any] | None = None
        self._end: ServiceError | None = None

    async def read(self) -> Any:
        """The next message; gRPC's EOF after the last.

        Raises:
            ServiceError: What `end` was told. What is not read is not lost: the client knows what has no
                answer, and may send it elsewhere.
        """
        if self._end is not None:
            raise self._end
        self._waiting = asyncio.current_task()
        try:
            return await self._context.read()
        except asyncio.CancelledError:
            if self._end is None or self._waiting is None:
                raise
            self._waiting.uncancel()
            raise self._end from None
        finally:
            self._waiting = None

    def end(self, error: ServiceError) -> None:
        """Reads no more, and has a read that waits come back with an error."""
        self._end = error
        if self._waiting is not None:
            self._waiting.cancel()
