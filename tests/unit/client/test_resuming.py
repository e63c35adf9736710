"""Streams and calls over servers that go away: what has no answer is sent again, once, and nothing else."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import AsyncIterator
from concurrent.futures import Future
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import numpy as np
import pytest

import pullback

X = np.array([1.0, 2.0, 3.0])
Served = Any


async def got(result: Any) -> Any:
    """A result, whoever gave it."""
    if isinstance(result, Future):
        return await asyncio.to_thread(result.result, 20)
    return await result if inspect.isawaitable(result) else result


@asynccontextmanager
async def entered(manager: Any) -> AsyncIterator[Any]:
    """A context manager of either kind."""
    async with AsyncExitStack() as stack:
        if hasattr(manager, "__aenter__"):
            yield await stack.enter_async_context(manager)
        else:
            yield stack.enter_context(manager)


@pytest.fixture
def state(served: tuple[str, Served]) -> Served:
    """The server's state."""
    return served[1]


@pytest.fixture(params=["sync", "async"])
async def squares(request: pytest.FixtureRequest, served: tuple[str, Served]) -> AsyncIterator[Any]:
    """The sum of squares, of a client of either kind."""
    connect = pullback.connect if request.param == "sync" else pullback.aio.connect
    async with entered(connect(served[0], timeout=20)) as client:
        yield await got(client.function("squares"))


async def test_what_has_no_answer_is_sent_again(squares: Any, state: Served) -> None:
    """A stream that breaks three times gives every answer, and each is computed once."""
    state.breaks = [4, 0, 2]
    async with entered(squares.stream(in_flight=8)) as stream:
        futures = [stream.grad(X * number) for number in range(20)]
    for number, future in enumerate(futures):
        np.testing.assert_array_equal(await got(future), 2 * X * number)
    assert state.calls.count("EvaluateStream") >= 4
    assert len(state.points) == 20


async def test_a_stream_that_breaks_while_it_is_left(squares: Any, state: Served) -> None:
    """Whoever waits at its end for what is open waits for the next stream's answers."""
    state.breaks = [2, 1]
    async with entered(squares.stream()) as stream:
        futures = [stream(X) for _ in range(5)]
    assert [await got(future) for future in futures] == [14.0] * 5


async def test_an_idle_stream_opens_with_the_next_call(squares: Any, state: Served) -> None:
    """A stream whose server went while it was idle carries on when there is something to carry."""
    async with entered(squares.stream()) as stream:
        state.breaks = []
        first = [stream(X), stream(2 * X)]
        assert [await got(future) for future in first] == [14.0, 56.0]
        state.breaks = [0]
        later = [stream(X), stream(X)]
        assert [await got(future) for future in later] == [14.0, 14.0]


async def test_a_stream_that_is_given_up_while_it_pauses(squares: Any, state: Served) -> None:
    """Leaving it by an exception ends it at once, and its futures say so."""
    state.breaks = [0] * 100
    futures: list[Any] = []

    async def leave() -> None:
        async with entered(squares.stream()) as stream:
            futures.append(stream(X))
            await asyncio.sleep(0.7)
            raise KeyError

    began = time.monotonic()
    with pytest.raises(KeyError):
        await leave()
    assert time.monotonic() - began < 4
    with pytest.raises(pullback.UnavailableError):
        await got(futures[0])


async def test_a_call_waits_for_a_server_that_was_there(squares: Any, state: Served) -> None:
    """More refusals than gRPC itself tries again, and then the answer."""
    state.refuse("UNAVAILABLE", "NOT_READY", times=9)
    assert await got(squares(X)) == 14.0


async def test_an_impatient_client(squares: Any, state: Served) -> None:
    """Where nobody starts the server again, the error comes after gRPC's own tries."""
    client = squares._client
    client.patient = client._served = False
    state.refuse("UNAVAILABLE", "NOT_READY", times=100)
    state.calls.clear()
    with pytest.raises(pullback.UnavailableError):
        await got(squares(X))
    assert len(state.calls) == 4
