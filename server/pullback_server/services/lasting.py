"""Streams: each lasts as long at most as what its caller showed to be let in, and a tenant has so many.

A stream of requests is ended by its reader, after what is in hand: gRPC loses the status of a call that is
broken off while it writes. Without a bound on their number, a client that loses track of its streams, which
may be idle, would shut everybody out.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from pullback_server.errors import Reason, ServiceError, service_error
from pullback_server.services.authentication import Authentication
from pullback_server.services.calls import OpenCalls
from pullback_server.services.context import Context
from pullback_server.tenants.current import CurrentDirectory
from pullback_server.tenants.identity import Identity

_LONGEST_SECONDS: Final = 1e9
_RETRY_SECONDS: Final = 1.0
PATIENCE_SECONDS: Final = 10.0
"""What is in hand of a stream that ends has so long to be answered, and to be read."""


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    """A stream that is open.

    Attributes:
        context: The call.
        header: The token that its caller showed, with its scheme; None without one.
        identity: Who that is.
        limit: When the call is broken off.
    """

    context: Context
    header: str | None
    identity: Identity
    limit: asyncio.Timeout


class Streams:
    """The streams that are open.

    Args:
        authentication: What finds out who calls.
        current: What is known of tenants; streams of those who are not known any more end.
        calls: What has their readers.
        most: The most that one tenant may have open.
    """

    def __init__(
        self, authentication: Authentication, current: CurrentDirectory, calls: OpenCalls, most: int
    ) -> None:
        self._authentication = authentication
        self._calls = calls
        self._open: set[Stream] = set()
        self._most = most
        self._of_tenant: Counter[str] = Counter()
        current.when_replaced(self._end_those_of_strangers)

    async def run(
        self, header: str | None, identity: Identity, context: Context, work: Callable[[], Awaitable[None]]
    ) -> None:
        """Does a stream's work for as long as what its caller showed holds.

        Raises:
            AccessError: UNAUTHENTICATED when it does not any more.
            PressureError: TENANT_OVERLOADED if the tenant has as many streams as it may.
        """
        tenant = identity.caller.tenant
        if self._of_tenant[tenant] >= self._most:
            raise _too_many(tenant, self._most)
        self._of_tenant[tenant] += 1
        try:
            await self._run(header, identity, context, work)
        finally:
            self._of_tenant[tenant] -= 1

    async def _run(
        self, header: str | None, identity: Identity, context: Context, work: Callable[[], Awaitable[None]]
    ) -> None:
        try:
            async with asyncio.timeout(None) as limit:
                stream = Stream(context, header, identity, limit)
                timer = self._end_in_time(stream)
                self._open.add(stream)
                try:
                    await work()
                finally:
                    self._open.discard(stream)
                    if timer is not None:
                        timer.cancel()
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise _over(identity) from error

    def _end_in_time(self, stream: Stream) -> asyncio.TimerHandle | None:
        expires = stream.identity.expires
        if expires is None:
            return None
        seconds = min(expires - time.time(), _LONGEST_SECONDS)
        return asyncio.get_running_loop().call_later(seconds, self._end, stream)

    def _end_those_of_strangers(self) -> None:
        for stream in tuple(self._open):
            if not self._authentication.holds(stream.header, stream.identity):
                self._end(stream)

    def _end(self, stream: Stream) -> None:
        """Ends a stream that takes requests when what is in hand is answered, and others at once."""
        if stream not in self._open:
            return
        self._open.discard(stream)
        asked = self._calls.end_stream(stream.context, _over(stream.identity))
        stream.limit.reschedule(asyncio.get_running_loop().time() + (PATIENCE_SECONDS if asked else 0.0))


def _over(identity: Identity) -> ServiceError:
    return service_error(
        Reason.UNAUTHENTICATED,
        f"what {identity.caller.subject!r} showed has expired or was withdrawn while the stream was open; "
        "open another one with a new token",
        stream="ended",
    )


def _too_many(tenant: str, most: int) -> ServiceError:
    return service_error(
        Reason.TENANT_OVERLOADED,
        f"{most} streams of the tenant {tenant!r} are open, and no more may be (half of "
        "max_concurrent_rpcs); end those that are idle, and try again",
        retry_delay=_RETRY_SECONDS,
        limit=str(most),
        value=str(most),
        setting="max_concurrent_rpcs",
    )
