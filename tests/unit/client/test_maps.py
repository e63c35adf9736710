"""Maps over a real gRPC server that breaks streams, with the synchronous and the asynchronous client."""

from __future__ import annotations

import inspect
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import numpy as np
import pytest

import pullback

XS = np.arange(3.0 * 50).reshape(50, 3)
Served = Any


async def got(result: Any) -> Any:
    """A result, whoever gave it: as it is, awaited, or listed."""
    if inspect.isawaitable(result):
        return await result
    if hasattr(result, "__aiter__"):
        return [item async for item in result]
    return list(result) if hasattr(result, "__next__") else result


@pytest.fixture(params=["sync", "async"])
async def squares(request: pytest.FixtureRequest, served: tuple[str, Served]) -> AsyncIterator[Any]:
    """The sum of squares, of a client of either kind."""
    connect = pullback.connect if request.param == "sync" else pullback.aio.connect
    async with AsyncExitStack() as stack:
        manager: Any = connect(served[0], timeout=10)
        enter = stack.enter_context if request.param == "sync" else stack.enter_async_context
        client = await got(enter(manager))
        yield await got(client.function("squares"))


@pytest.fixture
def state(served: tuple[str, Served]) -> Served:
    """The server's state."""
    return served[1]


async def test_a_map(squares: Any) -> None:
    """Answers that come in another order are put in theirs."""
    results = await got(squares.map(XS, want=["value", "grad"], chunk=5))
    np.testing.assert_array_equal(results.grad, 2 * XS)
    np.testing.assert_array_equal(results.value, np.sum(XS**2, axis=1))
    assert results.revision == squares.revision


async def test_an_iterator(squares: Any) -> None:
    """Points and blocks; their results come one by one."""
    results = await got(squares.imap([XS[0], XS[1:20], XS[20:20], XS[20]], want=["grad"], chunk=4))
    for each, expected in zip(results, [XS[0], XS[1:20], XS[20:20], XS[20]], strict=True):
        np.testing.assert_array_equal(each.grad, 2 * expected)


async def test_an_endless_iterator(squares: Any) -> None:
    """Read as far as is under way, and no further, however long its user takes."""
    read = list[int]()

    def endless() -> Any:
        while True:
            read.append(len(read))
            yield XS[0]

    results = squares.imap(endless(), chunk=2, in_flight=4)
    if hasattr(results, "__anext__"):
        assert float((await anext(results)).value) == 5.0
        await results.aclose()
    else:
        assert float(next(results).value) == 5.0
        results.close()
    assert len(read) <= 2 * (4 + 2)


async def test_lengths_that_differ(squares: Any) -> None:
    """As by zip(strict=True)."""
    with pytest.raises(pullback.InvalidArgumentError):
        await got(squares.imap([XS[0]], [1.0]))


async def test_a_stream_that_breaks(squares: Any, state: Served) -> None:
    """Another one carries on; what has arrived is not asked for again."""
    state.breaks = [4, 0, 2]
    results = await got(squares.map(XS, want=["grad"], chunk=5, in_flight=4))
    np.testing.assert_array_equal(results.grad, 2 * XS)
    assert state.calls.count("EvaluateStream") == 4
    assert sum(state.streamed) == len(XS)


async def test_a_server_that_is_gone(squares: Any, state: Served) -> None:
    """The map is given up after so many tries, with the first points that have no results."""
    state.breaks = [4] + [0] * 20
    with pytest.raises(pullback.UnavailableError, match=r"points 20 to 24 of the map .after 3 tries"):
        await got(squares.map(XS, chunk=5, retries=2))


async def test_a_wrong_chunk(squares: Any) -> None:
    """Its error has its points."""
    wrong = XS.copy()
    wrong[16, 0] = -1.0
    with pytest.raises(pullback.ServerError, match="points 16 to 19 of the map: refused") as caught:
        await got(squares.map(wrong, chunk=4))
    assert caught.value.metadata["first_point"] == "16"


async def test_a_server_that_says_nothing(squares: Any, state: Served) -> None:
    """A map does not wait for ever."""
    state.hold.clear()
    began = time.monotonic()
    with pytest.raises(pullback.DeadlineExceededError, match=r"no answer came for 0\.3 seconds"):
        await got(squares.map(XS, timeout=0.3))
    assert time.monotonic() - began < 5
    state.hold.set()


async def test_what_is_wrong_costs_no_call(squares: Any, state: Served) -> None:
    """It is refused before anything is sent, of an iterator too."""
    before = len(state.calls)
    with pytest.raises(pullback.InvalidArgumentError, match="single point"):
        await got(squares.map(XS[0], chunk=4))
    with pytest.raises(pullback.InvalidArgumentError, match="cannot be wanted"):
        squares.imap(XS, want=["nothing"])
    assert state.calls[before:] in ([], ["EvaluateStream"])


async def test_progress(squares: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """On standard error, to the end."""
    await got(squares.map(XS, chunk=5, progress=True))
    assert "50" in capsys.readouterr().err
