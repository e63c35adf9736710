"""The calls that are open, so that a server that stops knows when the last one has ended.

gRPC's own count has health watchers in it, which never end.
"""

from __future__ import annotations

import asyncio
from typing import Any

import grpc


class OpenCalls:
    """Counts calls from their beginning until their status is sent."""

    def __init__(self) -> None:
        self._count = 0
        self._none = asyncio.Event()
        self._none.set()

    def add(self, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        """Counts a call until it ends."""
        self._count += 1
        self._none.clear()
        # The stubs take objects of a class of their own; gRPC takes any callable.
        context.add_done_callback(self._ended)  # type: ignore[arg-type]

    @property
    def count(self) -> int:
        """How many are open."""
        return self._count

    async def none(self) -> None:
        """Returns when no call is open."""
        await self._none.wait()

    def _ended(self, _: object) -> None:
        self._count -= 1
        if self._count == 0:
            self._none.set()
