"""The ids that clients give to their calls: what a server saw is what an error tells."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import islice
from typing import Any

import numpy as np
import pytest

import pullback
from pullback._evaluation.lanes import PLACES
from pullback._trip import request_ids

X = np.array([1.0, 2.0, 3.0])
Served = Any


@pytest.fixture
def state(served: tuple[str, Served]) -> Served:
    """The server's state."""
    return served[1]


@pytest.fixture(params=["sync", "async"])
async def client(request: pytest.FixtureRequest, served: tuple[str, Served]) -> AsyncIterator[Any]:
    """A client of either kind."""
    if request.param == "sync":
        with pullback.connect(served[0], timeout=10) as client:
            yield client
    else:
        async with pullback.aio.connect(served[0], timeout=10) as asynchronous:
            yield asynchronous


def start(method: Callable[..., Any], *args: Any, **options: Any) -> asyncio.Future[Any]:
    """Starts a call of either kind."""

    async def call() -> Any:
        answer = await asyncio.to_thread(method, *args, **options)
        return await answer if inspect.isawaitable(answer) else answer

    return asyncio.ensure_future(call())


@pytest.fixture
async def squares(client: Any) -> Any:
    """The sum of squares."""
    return await start(client.function, "squares")


async def failure(call: Awaitable[Any]) -> pullback.PullbackError:
    """What a call fails with."""
    with pytest.raises(pullback.PullbackError) as caught:
        await call
    return caught.value


def test_nobody_else_gives_them() -> None:
    """Neither this client again nor another; and servers take them as they are."""
    ids = [*islice(request_ids(), 1000), *islice(request_ids(), 1000)]
    assert len(set(ids)) == 2000
    assert all(each.isascii() and each.isprintable() and len(each) <= 128 for each in ids)


async def test_each_call_has_its_own(client: Any, squares: Any, state: Served) -> None:
    """Of whatever method."""
    for call in [start(squares.grad, X), start(squares.compile), start(client.capabilities)]:
        await call
    methods = ["GetFunction", "Evaluate", "Compile", "GetCapabilities"]
    ids = [each for method in methods for each in state.ids[method]]
    assert len(set(ids)) == len(methods) == len(ids)


async def test_tries_of_a_call_share_it(squares: Any, state: Served) -> None:
    """Those of the client as those of gRPC."""
    state.refuse("RESOURCE_EXHAUSTED", "OVERLOADED", delay=0.01)
    state.refuse("UNAVAILABLE", "NOT_READY")
    await start(squares.grad, X)
    assert len(state.ids["Evaluate"]) == 3
    assert len(set(state.ids["Evaluate"])) == 1


@pytest.mark.parametrize("join", [False, True])
async def test_a_deadline(squares: Any, state: Served, join: bool) -> None:
    """The server never answered, and its log can be asked."""
    if not join:
        squares._client._joined = None
    state.hold.clear()
    error = await failure(start(squares.grad, X, timeout=0.4))
    assert isinstance(error, pullback.DeadlineExceededError)
    assert [error.request_id] == state.ids["Evaluate"]


@pytest.mark.parametrize("connect", [pullback.connect, pullback.aio.connect])
async def test_nobody_at_home(connect: Any) -> None:
    """A call that came nowhere has one, too."""
    client = connect("127.0.0.1:1", timeout=5)
    for method in (client.capabilities, client.health):
        assert (await failure(start(method))).request_id
    await start(client.close)


async def test_a_joined_message(squares: Any, state: Served) -> None:
    """Whoever travels in it and fails tells its id, since the server knows no other."""
    state.hold.clear()
    alone = [start(squares.grad, X, timeout=1.2) for _ in range(PLACES)]
    await asyncio.sleep(0.1)
    joined = [start(squares.grad, X, timeout=seconds) for seconds in (2.2, 2.3, 2.4)]
    own = {(await failure(each)).request_id for each in alone}
    errors = [await failure(each) for each in joined]
    assert len(own) == PLACES
    assert [each.request_id for each in errors] == [state.ids["Evaluate"][-1]] * 3
    assert own == {*state.ids["Evaluate"][:-1]}


async def test_what_waits_in_vain(squares: Any, state: Served) -> None:
    """It was never sent, and has an id all the same."""
    state.hold.clear()
    alone = [start(squares.grad, X) for _ in range(PLACES)]
    await asyncio.sleep(0.1)
    error = await failure(start(squares.grad, X, timeout=0.1))
    assert error.request_id
    assert error.request_id not in state.ids["Evaluate"]
    state.hold.set()
    await asyncio.gather(*alone)


async def test_a_stream(squares: Any, state: Served) -> None:
    """What travels on it shares its id; so does a map that gets no answers."""
    state.hold.clear()
    error = await failure(start(squares.map, np.stack([X] * 4), timeout=0.3))
    assert isinstance(error, pullback.DeadlineExceededError)
    assert [error.request_id] == state.ids["EvaluateStream"]


async def test_a_stream_that_is_left(squares: Any, state: Served) -> None:
    """What had no answer tells its id."""
    state.hold.clear()
    stream = squares._client.stream()
    future = stream.function(squares).grad(X)
    await asyncio.sleep(0.1)
    await start(stream.cancel)
    error = await failure(asyncio.wrap_future(future))
    assert [error.request_id] == state.ids["EvaluateStream"]


async def test_the_server_s_own(client: Any) -> None:
    """One that it tells is believed: its log has that."""
    assert (await failure(start(client.function, "squars"))).request_id == "42"
