"""Reads the requests of a stream until there are no more, or until the server that stops takes no more."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import grpc

from pullback_server.errors import Reason, ServiceError, service_error

_RETRY_SECONDS: Final = 0.1


class Reader:
    """Reads the messages of one call.

    Args:
        context: The call.
    """

    __slots__ = ("_context", "_ended", "_waiting")

    def __init__(self, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        self._context = context
        self._waiting: asyncio.Task[Any] | None = None
        self._ended = False

    async def read(self) -> Any:
        """The next message; gRPC's EOF after the last.

        Raises:
            AvailabilityError: NOT_READY if the server takes no more. What it has not read is not lost: its
                client knows what has no answer, and sends it elsewhere.
        """
        if self._ended:
            raise _stopping()
        self._waiting = asyncio.current_task()
        try:
            return await self._context.read()
        except asyncio.CancelledError:
            if not self._ended or self._waiting is None:
                raise
            self._waiting.uncancel()
            raise _stopping() from None
        finally:
            self._waiting = None

    def end(self) -> None:
        """Reads no more, and has a read that waits come back."""
        self._ended = True
        if self._waiting is not None:
            self._waiting.cancel()


def _stopping() -> ServiceError:
    return service_error(
        Reason.NOT_READY,
        "the server stops; what has no answer yet can be sent again, to another server or to the next one",
        retry_delay=_RETRY_SECONDS,
    )
