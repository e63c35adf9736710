"""The calls that are open, so that a server that stops knows when the last one has ended.

gRPC's own count has health watchers in it, which never end. Streams of requests may be idle for hours; a
server that stops takes no more from them, so that they end with the last answer that they wait for.
"""

from __future__ import annotations

import asyncio
from typing import Final

from pullback_server.errors import Reason, ServiceError, service_error
from pullback_server.services.context import Context
from pullback_server.services.reading import Reader

# What a client sends until it has heard that it should not.
_MOMENT: Final = 0.1
_RETRY_SECONDS: Final = 0.1


class OpenCalls:
    """Counts calls from their beginning until their status is sent.

    Attributes:
        refused: How many were turned away before their method was called, by reason.
    """

    def __init__(self) -> None:
        self._readers: dict[Context, Reader] = {}
        self._ending = False
        self._open: set[Context] = set()
        self._none = asyncio.Event()
        self._none.set()
        self.refused: dict[str, int] = {}

    def add(self, context: Context) -> None:
        """Counts a call until it ends, once however many handlers it goes through."""
        if context in self._open:
            return
        self._open.add(context)
        self._none.clear()
        # The stubs take objects of a class of their own; gRPC takes any callable.
        context.add_done_callback(lambda _: self._ended(context))  # type: ignore[arg-type]

    def refuse(self, error: Exception) -> None:
        """Counts a call that is turned away before its method is called."""
        reason = error.reason if isinstance(error, ServiceError) else Reason.INTERNAL
        self.refused[reason.value] = self.refused.get(reason.value, 0) + 1

    @property
    def count(self) -> int:
        """How many are open."""
        return len(self._open)

    def reader(self, context: Context) -> Reader:
        """What reads the requests of a stream, until it ends or the server takes no more."""
        reader = self._readers[context] = Reader(context)
        context.add_done_callback(lambda _: self._readers.pop(context, None))  # type: ignore[arg-type]
        if self._ending:
            reader.end(_stopping())
        return reader

    def end_streams(self) -> None:
        """Takes no more requests from streams; what is in hand of them is answered."""
        self._ending = True
        for reader in tuple(self._readers.values()):
            reader.end(_stopping())

    def end_stream(self, context: Context, error: ServiceError) -> bool:
        """Takes no more requests from a stream, which ends with an error after what is in hand.

        Returns:
            Whether the call is a stream of requests.
        """
        reader = self._readers.get(context)
        if reader is None:
            return False
        reader.end(error)
        return True

    async def none(self) -> None:
        """Returns when no call has been open for a moment, in which those under way would have come."""
        while True:
            await self._none.wait()
            await asyncio.sleep(_MOMENT)
            if not self._open:
                return

    def _ended(self, context: Context) -> None:
        self._open.discard(context)
        if not self._open:
            self._none.set()


def _stopping() -> ServiceError:
    return service_error(
        Reason.NOT_READY,
        "the server stops; what has no answer yet can be sent again, to another server or to the next one",
        retry_delay=_RETRY_SECONDS,
    )
