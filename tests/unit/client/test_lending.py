"""Streams with shared memory: what the server does not know, what fails, and who waits meanwhile."""

from __future__ import annotations

import asyncio
import inspect
import mmap
import socket
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import numpy as np
import pytest

import pullback
from pullback import _aio_stream
from pullback._sharing.lender import LARGE, Lender
from pullback._sharing.loan import Loan
from pullback._sharing.pool import Pool
from pullback._sharing.segments import Segment
from pullback._stream import StreamedFunction
from pullback.codec.evaluation import Request

X = np.array([1.0, 2.0, 3.0])
MANY = np.ones((LARGE // 12, 3))
Served = Any

pytestmark = pytest.mark.usefixtures("small_heap")


class Maker:
    """Makes segments, of which no server knows."""

    def __init__(self) -> None:
        self.ends: list[socket.socket] = []

    def make(self, size: int) -> Segment:
        """Makes one."""
        ours, theirs = socket.socketpair()
        self.ends.append(theirs)
        return Segment(len(self.ends), mmap.mmap(-1, size), ours)


class FailingLender(Lender):
    """Has no memory at all."""

    def lend(self, request: Request, result_bytes: int) -> Loan | None:
        """Fails where there is something to lend."""
        if request.arguments and len(request.arguments[0].data) >= LARGE:
            raise MemoryError(result_bytes)
        return None


@asynccontextmanager
async def entered(manager: Any) -> AsyncIterator[Any]:
    """A context manager of either kind, whose end keeps the event loop going."""
    async with AsyncExitStack() as stack:
        if hasattr(manager, "__aenter__"):
            yield await stack.enter_async_context(manager)
        else:
            stack.push_async_callback(asyncio.to_thread, manager.__exit__, None, None, None)
            yield manager.__enter__()


async def got(result: Any) -> Any:
    """A result, whoever gave it."""
    if isinstance(result, Future):
        return await asyncio.to_thread(result.result, 20)
    return await result if inspect.isawaitable(result) else result


@pytest.fixture
def maker() -> Iterator[Maker]:
    """What makes segments; its ends of connections are closed after the test."""
    maker = Maker()
    yield maker
    for end in maker.ends:
        end.close()


@pytest.fixture
def state(served: tuple[str, Served]) -> Served:
    """The server's state."""
    return served[1]


@pytest.fixture(params=["sync", "async"])
async def squares(
    request: pytest.FixtureRequest, served: tuple[str, Served], maker: Maker
) -> AsyncIterator[Any]:
    """The sum of squares, of a client of either kind that lends memory."""
    connect = pullback.connect if request.param == "sync" else pullback.aio.connect
    async with entered(connect(served[0], timeout=20)) as client:
        client._lender = Lender("nowhere", Pool(maker.make, smallest=4 * MANY.nbytes))
        yield await got(client.function("squares"))


async def test_what_is_not_known_at_the_end(squares: Any, state: Served, maker: Maker) -> None:
    """A stream that is left sends again, in messages, what the server did not know; then it ends."""
    state.hold.clear()
    async with asyncio.timeout(20), entered(squares.stream()) as stream:
        futures = [stream.grad(MANY * number) for number in (1, 2)]
        asyncio.get_running_loop().call_later(0.3, state.hold.set)
    for number, future in zip((1, 2), futures, strict=True):
        np.testing.assert_array_equal(await got(future), 2 * MANY * number)
    assert maker.ends
    assert squares._client._lender.pool.in_use == 0


async def test_a_break_at_the_end(squares: Any, state: Served) -> None:
    """A stream that breaks while it is left ends as well, after everything was answered by the next."""
    state.hold.clear()
    state.breaks = [0]
    async with asyncio.timeout(20), entered(squares.stream()) as stream:
        futures = [stream.grad(MANY * number) for number in range(3)]
        asyncio.get_running_loop().call_later(0.3, state.hold.set)
    for number, future in enumerate(futures):
        np.testing.assert_array_equal(await got(future), 2 * MANY * number)


async def test_an_answer_that_cannot_be_kept(squares: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stream ends, and nobody waits for ever."""
    if isinstance(squares, pullback.Function):
        pytest.skip("there a thread dies, of which Python tells by itself")

    def failing(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(_aio_stream, "read_answer", failing)
    async with asyncio.timeout(20), AsyncExitStack() as stack:
        stack.enter_context(pytest.raises(MemoryError))
        stream = await stack.enter_async_context(entered(squares.stream()))
        for future in [stream.grad(X) for _ in range(2)]:
            with pytest.raises(pullback.UnavailableError, match="has ended"):
                await future


async def test_what_cannot_be_lent(squares: Any) -> None:
    """The call itself fails, and its place is free for the next."""
    squares._client._lender = FailingLender("nowhere")
    async with asyncio.timeout(20), entered(squares.stream(in_flight=1)) as stream:
        with pytest.raises(MemoryError):
            await got(stream.grad(MANY))
        # In a thread, so that a place that is not free fails the test.
        later = await asyncio.to_thread(stream, X) if isinstance(stream, StreamedFunction) else stream(X)
    assert await got(later) == 14.0
