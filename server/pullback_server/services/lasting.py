"""Streams, each of which lasts as long at most as what its caller showed to be let in."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from typing import Final

from pullback_server.errors import Reason, service_error
from pullback_server.services.authentication import Authentication
from pullback_server.tenants.current import CurrentDirectory
from pullback_server.tenants.identity import Identity

_LONGEST_SECONDS: Final = 1e9


class Streams:
    """The streams that are open.

    Args:
        authentication: What finds out who calls.
        current: What is known of tenants; streams of those who are not known any more end.
    """

    def __init__(self, authentication: Authentication, current: CurrentDirectory) -> None:
        self._authentication = authentication
        self._open: dict[asyncio.Timeout, tuple[str | None, Identity]] = {}
        current.when_replaced(self._end_those_of_strangers)

    async def run(self, header: str | None, identity: Identity, work: Awaitable[None]) -> None:
        """Awaits a stream's work for as long as what its caller showed holds.

        Raises:
            AccessError: UNAUTHENTICATED when it does not any more.
        """
        try:
            async with asyncio.timeout(_seconds_left(identity)) as end:
                self._open[end] = header, identity
                try:
                    await work
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


def _seconds_left(identity: Identity) -> float | None:
    return None if identity.expires is None else min(identity.expires - time.time(), _LONGEST_SECONDS)
