"""How many calls are open."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from pullback_server.services.calls import OpenCalls


class _Call:
    """A call that ends when it is told to."""

    def __init__(self) -> None:
        self._callbacks: list[Callable[[Any], object]] = []

    def add_done_callback(self, callback: Callable[[Any], object]) -> None:
        """Keeps what is to be called."""
        self._callbacks.append(callback)

    def end(self) -> None:
        """Calls it."""
        for callback in self._callbacks:
            callback(self)


async def test_a_call_counts_once() -> None:
    """Several handlers may count it, each of which may be the first."""
    calls, first, second = OpenCalls(), _Call(), _Call()
    contexts: list[Any] = [first, second, first, first]
    for context in contexts:
        calls.add(context)
    assert calls.count == 2
    first.end()
    assert calls.count == 1
    second.end()
    assert calls.count == 0
    await asyncio.wait_for(calls.none(), 10)
