"""How long calls may leave the server waiting for their messages.

A call that is open and says nothing has a place among those that may be, and an upload has room for bytes
that do not come. gRPC would wait for both as long as their connection lasts. It does not say how much of a
message is there already, so that what a large one needs is known by what its caller announces. One timer
looks at all calls: a timer for each would cost more than all the rest here.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final

import grpc

from pullback_server.errors import Reason, ServiceError, service_error
from pullback_server.services.announced import announced_bytes
from pullback_server.services.context import Context

SLOWEST_BYTES_A_SECOND: Final = 1 << 16
"""Who sends parts at least so fast is never late, where one takes no longer than a call may be silent."""
UNSEEN_BYTES_A_SECOND: Final = 1 << 19
"""An announced message has so long: it has room that others want, and nobody sees whether it comes."""
_LOOKS: Final = 4
_LOOK_SECONDS: Final = 1.0
_SHORTEST_SECONDS: Final = 0.01


class Patience:
    """Ends calls that keep the server waiting for their messages.

    Args:
        seconds: How long one may be silent; 0 is as long as it takes.
        largest: The most bytes of a message; none has time for more.
    """

    def __init__(self, seconds: float, largest: int = (1 << 31) - 1) -> None:
        self.seconds = seconds
        self._largest = largest
        self._pause = max(min(_LOOK_SECONDS, seconds / _LOOKS), _SHORTEST_SECONDS)
        self._waiting: set[Messages] = set()
        self._looking = False

    def messages(self, context: Context, *, parts: bool = False) -> Messages:
        """The messages of a call.

        Args:
            context: The call.
            parts: Whether it is sent in parts, which are seen to come: then announcing gives it no time.
        """
        return Messages(self, context, 0.0 if parts else None)

    def begin(self, messages: Messages) -> None:
        """Has an eye on a call whose message is waited for."""
        self._waiting.add(messages)
        if not self._looking:
            self._look_later()

    def end(self, messages: Messages) -> None:
        """Looks at it no more."""
        self._waiting.discard(messages)

    def needed(self, context: Context) -> float:
        """How many seconds what a call has announced may need on its way."""
        announced = announced_bytes(context.invocation_metadata())
        return min(announced, self._largest) / UNSEEN_BYTES_A_SECOND

    def _look_later(self) -> None:
        self._looking = True
        asyncio.get_running_loop().call_later(self._pause, self._look)

    def _look(self) -> None:
        """Ends what is late, and looks again as long as anything is waited for."""
        now = time.monotonic()
        for messages in self._waiting:
            messages.end_if_late(now)
        self._looking = False
        if self._waiting:
            self._look_later()


class Messages:
    """The messages of one call; reads one at a time.

    Each gives the time back that its bytes may need, and no more, so that who sends next to nothing at a time
    is late as well.

    Args:
        patience: What ends the call when it is late.
        context: The call.
        needed: How many seconds what it has announced may need; None if that is to be asked for.
    """

    __slots__ = ("_context", "_late", "_left", "_needed", "_patience", "_task", "_until")

    def __init__(self, patience: Patience, context: Context, needed: float | None = None) -> None:
        self._patience = patience
        self._context = context
        self._left = patience.seconds
        self._needed = needed
        self._late = False
        self._task: asyncio.Task[Any] | None = None
        self._until = 0.0

    def __aiter__(self) -> Messages:
        return self

    async def __anext__(self) -> Any:
        message = await self.read()
        if message is grpc.aio.EOF:
            raise StopAsyncIteration
        left = self._until - (self._needed or 0.0) - time.monotonic() + len(message) / SLOWEST_BYTES_A_SECOND
        self._left = min(left, self._patience.seconds)
        return message

    async def read(self) -> Any:
        """The next message; gRPC's EOF after the last.

        Raises:
            DeadlineError: DEADLINE_EXCEEDED if it does not come in time.
        """
        if not self._patience.seconds:
            return await self._context.read()
        self._task = asyncio.current_task()
        self._until = time.monotonic() + self._left + (self._needed or 0.0)
        self._patience.begin(self)
        try:
            return await self._context.read()
        except asyncio.CancelledError:
            # Whom the caller has broken off as well has nobody to tell it.
            if not self._late or self._task is None or self._task.uncancel() > 0:
                raise
            raise self._silent() from None
        finally:
            self._patience.end(self)

    def end_if_late(self, now: float) -> None:
        """Has a read that waits come back with an error if its time is over.

        What was announced is asked for here: of nearly all calls it never has to be known.
        """
        if self._needed is None and self._until <= now:
            self._needed = self._patience.needed(self._context)
            self._until += self._needed
        if self._until <= now and not self._late and self._task is not None:
            self._late = True
            self._task.cancel()

    def _silent(self) -> ServiceError:
        limit = self._patience.seconds
        silent = limit + time.monotonic() - self._until
        return service_error(
            Reason.DEADLINE_EXCEEDED,
            f"the call kept the server waiting for {silent:.1f} s, besides a second for each "
            f"{SLOWEST_BYTES_A_SECOND} bytes that came and {UNSEEN_BYTES_A_SECOND} that were announced; "
            f"the server's limit (max_silent_seconds) is {limit:g}; send messages as soon as the call is "
            "open, in parts where it takes parts, and announce large ones in pullback-request-bytes",
            value=f"{silent:.1f}",
            limit=f"{limit:g}",
            setting="max_silent_seconds",
        )
