"""Streams: each lasts as long at most as what its caller showed to be let in, and a tenant has so many.

Without a bound a client that loses track of its streams, which may be idle, would shut everybody out.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Final

from pullback_server.errors import Reason, ServiceError, service_error
from pullback_server.services.authentication import Authentication
from pullback_server.tenants.current import CurrentDirectory
from pullback_server.tenants.identity import Identity

_LONGEST_SECONDS: Final = 1e9
_RETRY_SECONDS: Final = 1.0


class Streams:
    """The streams that are open.

    Args:
        authentication: What finds out who calls.
        current: What is known of tenants; streams of those who are not known any more end.
        most: The most that one tenant may have open.
    """

    def __init__(self, authentication: Authentication, current: CurrentDirectory, most: int) -> None:
        self._authentication = authentication
        self._open: dict[asyncio.Timeout, tuple[str | None, Identity]] = {}
        self._most = most
        self._of_tenant: Counter[str] = Counter()
        current.when_replaced(self._end_those_of_strangers)

    async def run(self, header: str | None, identity: Identity, work: Callable[[], Awaitable[None]]) -> None:
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
            await self._run(header, identity, work)
        finally:
            self._of_tenant[tenant] -= 1

    async def _run(self, header: str | None, identity: Identity, work: Callable[[], Awaitable[None]]) -> None:
        try:
            async with asyncio.timeout(_seconds_left(identity)) as end:
                self._open[end] = header, identity
                try:
                    await work()
                finally:
                    del self._open[end]
        except TimeoutError as error:
            if not end.expired():
                raise
            raise service_error(
                Reason.UNAUTHENTICATED,
                f"what {identity.caller.subject!r} showed has expired or was withdrawn while the stream was "
                "open; open another one with a new token",
                stream="ended",
            ) from error

    def _end_those_of_strangers(self) -> None:
        now = asyncio.get_running_loop().time()
        for end, (header, identity) in tuple(self._open.items()):
            if not self._authentication.holds(header, identity):
                end.reschedule(now)


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


def _seconds_left(identity: Identity) -> float | None:
    return None if identity.expires is None else min(identity.expires - time.time(), _LONGEST_SECONDS)
