"""What those may have of a server whom nobody asks who they are, so that callers always find room."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from pullback_server.errors import Reason, ServiceError, service_error
from pullback_server.services.context import Context

_OF_A_CONNECTION: Final = 64
# Who means it has sent the message with the beginning of the call. gRPC takes messages as large as for any
# method: what is in memory of them is what the network brings in this time.
_READ_SECONDS: Final = 2.0
_RETRY_SECONDS: Final = 1.0
# All connections to a Unix domain socket have one name, and those who may open it are of this machine.
_NAMELESS: Final = "unix"


class Visitors:
    """Counts the calls of those whom nobody asks who they are, and reads their messages.

    Args:
        most: The most calls at a time.
        of_a_connection: The most of one connection.
    """

    def __init__(self, most: int, of_a_connection: int = _OF_A_CONNECTION) -> None:
        self._most = most
        self._of_a_connection = of_a_connection
        self._count = 0
        self._connections: Counter[str] = Counter()

    @contextmanager
    def visit(self, peer: str) -> Iterator[None]:
        """Counts a call inside the block.

        Args:
            peer: From where it comes, as gRPC says it.

        Raises:
            PressureError: OVERLOADED if there are too many.
        """
        self._enter(peer)
        try:
            yield
        finally:
            self._leave(peer)

    @staticmethod
    async def message(context: Context) -> bytes:
        """The one message of a call, which has to come at once.

        Raises:
            RequestError: MALFORMED_REQUEST if the call ends without one.
            PressureError: OVERLOADED if it does not come in time.
        """
        try:
            async with asyncio.timeout(_READ_SECONDS):
                raw = await context.read()
        except TimeoutError as error:
            raise _crowded(
                f"the call's request did not come in {_READ_SECONDS:g} s; send it with the call",
                _READ_SECONDS,
                _READ_SECONDS,
            ) from error
        if not isinstance(raw, bytes):
            raise service_error(Reason.MALFORMED_REQUEST, "the call has no request; send one message")
        return raw

    def _enter(self, peer: str) -> None:
        if self._count >= self._most:
            raise _crowded(
                f"{self._count} calls that show no credentials are open, and {self._most} may be (a part of "
                "max_concurrent_rpcs)",
                self._count,
                self._most,
                "max_concurrent_rpcs",
            )
        if self._connections[peer] >= self._of_a_connection:
            raise _crowded(
                f"{self._connections[peer]} such calls of this connection are open, and no more may be",
                self._connections[peer],
                self._of_a_connection,
            )
        self._count += 1
        if not peer.startswith(_NAMELESS):
            self._connections[peer] += 1

    def _leave(self, peer: str) -> None:
        self._count -= 1
        self._connections[peer] -= 1
        if self._connections[peer] <= 0:
            del self._connections[peer]


def _crowded(what: str, value: float, limit: float, setting: str = "") -> ServiceError:
    return service_error(
        Reason.OVERLOADED,
        f"{what}; try again later",
        retry_delay=_RETRY_SECONDS,
        value=f"{value:g}",
        limit=f"{limit:g}",
        setting=setting,
    )
