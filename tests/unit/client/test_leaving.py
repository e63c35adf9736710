"""Asynchronous streams that are left: by a cancellation, and just when they break."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
import numpy as np
import pytest

import pullback
from pullback._aio_stream import AsyncStream

X = np.array([1.0, 2.0, 3.0])
Served = Any


class Broken:
    """A call that has broken, of which nobody has read that yet."""

    def cancel(self) -> bool:
        """Comes too late."""
        return False

    async def __aiter__(self) -> AsyncIterator[Any]:
        nothing = grpc.aio.Metadata()
        raise grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, nothing, nothing, "gone")
        yield


class Breaking:
    """A channel whose calls break at once."""

    def stream_stream(self, *_: Any) -> Any:
        """Makes such calls."""
        return lambda *_requests, **_options: Broken()


async def test_a_cancellation_while_answers_are_waited_for(served: tuple[str, Served]) -> None:
    """It reaches who waits at the stream's end; what is not answered is given up."""
    address, state = served
    state.hold.clear()
    async with pullback.aio.connect(address) as client:
        squares = await client.function("squares")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3), squares.stream() as stream:
                future = stream(X)
        with pytest.raises(pullback.UnavailableError, match="cancelled"):
            await asyncio.wait_for(future, 10)


async def test_a_stream_is_left_just_when_it_breaks() -> None:
    """It ends with why it broke, and does not wait for something to send."""

    async def leave() -> bool:
        channel: Any = Breaking()
        stream = AsyncStream(channel, "host:1", 8, request_id="1", served=True)
        await stream.cancel()  # before its reader begins
        return stream.ended

    leaving = asyncio.create_task(leave())
    await asyncio.wait([leaving], timeout=5)
    assert leaving.done()
    assert leaving.result()
