"""The synchronous and the asynchronous client against a real gRPC server, in one matrix.

What one can the other can: each test runs with both, and awaits what has to be awaited.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import AsyncIterator
from concurrent.futures import Future
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import grpc
import grpc.aio
import numpy as np
import pytest

import pullback
from pullback._aio_stream import AsyncStream, AsyncStreamedFunction, call_error
from pullback._stream import Stream, StreamedFunction
from pullback._transformations import Transformations
from pullback.program.container import Program, StableHlo
from pullback.program.digest import digest
from pullback.program.signature import Argument, Result, Signature
from pullback.program.tensors import parse_tensor_type
from pullback.program.trees import LEAF

X = np.array([1.0, 2.0, 3.0])
F64 = parse_tensor_type("f64[3]")
Served = Any


async def got(result: Any) -> Any:
    """A result, whoever gave it: as it is, from a future, awaited, or listed."""
    if isinstance(result, Future):
        return await asyncio.to_thread(result.result, 10)
    if inspect.isawaitable(result):
        return await result
    if hasattr(result, "__aiter__"):
        return [item async for item in result]
    return list(result) if hasattr(result, "__next__") else result


@asynccontextmanager
async def entered(manager: Any) -> AsyncIterator[Any]:
    """A context manager of either kind."""
    async with AsyncExitStack() as stack:
        if hasattr(manager, "__aenter__"):
            yield await stack.enter_async_context(manager)
        else:
            yield stack.enter_context(manager)


@pytest.fixture(params=["sync", "async"])
async def client(request: pytest.FixtureRequest, served: tuple[str, Served]) -> AsyncIterator[Any]:
    """A client of either kind."""
    connect = pullback.connect if request.param == "sync" else pullback.aio.connect
    async with entered(connect(served[0], timeout=10)) as client:
        yield client


@pytest.fixture
async def squares(client: Any) -> Any:
    """The sum of squares."""
    return await got(client.function("squares"))


@pytest.fixture
def state(served: tuple[str, Served]) -> Served:
    """The server's state."""
    return served[1]


async def test_evaluation(squares: Any) -> None:
    """One request gives what is wanted, by the method's name or by key."""
    assert await got(squares(X)) == 14.0
    np.testing.assert_array_equal(await got(squares.grad(x=[1, 2, 3])), 2 * X)
    value, gradient = await got(squares.value_and_grad(np.stack([X, 2 * X])))
    np.testing.assert_array_equal(value, [14.0, 56.0])
    np.testing.assert_array_equal(gradient, [2 * X, 4 * X])
    results = await got(squares.evaluate(X, want=["grad", "value"]))
    assert (list(results), float(results.value), results.revision) == (
        ["grad", "value"],
        14.0,
        squares.revision,
    )


async def test_what_a_function_says_of_itself(squares: Any) -> None:
    """Name, revision and signature."""
    assert squares.name == "squares"
    assert squares.revision == f"functions/squares/revisions/{squares.digest}"
    assert squares.signature.leaves == (F64,)
    assert squares.revision in repr(squares)


async def test_a_mistake_costs_no_call(squares: Any, state: Served) -> None:
    """What the client can see is refused before anything is sent."""
    before = len(state.calls)
    with pytest.raises(pullback.InvalidArgumentError, match="one more leading axis"):
        await got(squares.grad(np.zeros(4)))
    assert len(state.calls) == before


async def test_an_error_of_the_server(client: Any) -> None:
    """It has the class of its code, the reason, and the request's id."""
    with pytest.raises(pullback.NotFoundError, match="refused") as caught:
        await got(client.function("squars"))
    assert (caught.value.reason, caught.value.request_id) == ("FUNCTION_NOT_FOUND", "42")


@pytest.mark.parametrize("code", ["UNAVAILABLE", "ABORTED"])
async def test_what_passes_by_itself_is_tried_again(squares: Any, state: Served, code: str) -> None:
    """By gRPC's own retry policy."""
    state.refuse(code, "NOT_READY", times=2)
    state.calls.clear()
    assert await got(squares(X)) == 14.0
    assert len(state.calls) == 3


async def test_an_overload_is_waited_for(squares: Any, state: Served) -> None:
    """As long as the server says."""
    state.refuse("RESOURCE_EXHAUSTED", "OVERLOADED", delay=0.2, times=2)
    start = time.monotonic()
    assert await got(squares(X)) == 14.0
    assert time.monotonic() - start >= 0.4


async def test_tries_end(squares: Any, state: Served) -> None:
    """After the fourth the error is the caller's, with the server's delay."""
    state.refuse("RESOURCE_EXHAUSTED", "OVERLOADED", delay=0.01, times=10)
    state.calls.clear()
    with pytest.raises(pullback.OverloadedError) as caught:
        await got(squares(X))
    assert (len(state.calls), caught.value.retry_after) == (4, pytest.approx(0.01))


@pytest.mark.parametrize(
    ("code", "reason", "kind"),
    [
        ("INTERNAL", "WORKER_DIED", pullback.ServerError),
        ("RESOURCE_EXHAUSTED", "LIMIT_EXCEEDED", pullback.LimitExceededError),
        ("INVALID_ARGUMENT", "DERIVATIVE_UNDEFINED", pullback.InvalidArgumentError),
    ],
)
async def test_what_would_fail_again_is_not_tried_again(
    squares: Any, state: Served, code: str, reason: str, kind: type[pullback.PullbackError]
) -> None:
    """Deterministic failures come at once."""
    state.refuse(code, reason)
    state.calls.clear()
    with pytest.raises(kind) as caught:
        await got(squares(X))
    assert (caught.value.reason, len(state.calls)) == (reason, 1)


async def test_a_timeout_ends_a_call_with_all_its_tries(squares: Any, state: Served) -> None:
    """A delay that ends after the deadline is not waited for."""
    state.refuse("RESOURCE_EXHAUSTED", "OVERLOADED", delay=0.9, times=10)
    start = time.monotonic()
    with pytest.raises(pullback.OverloadedError):
        await got(squares(X, timeout=0.5))
    assert time.monotonic() - start < 0.9


async def test_registration(client: Any, state: Served) -> None:
    """A small program travels with the request."""
    formula = pullback.Formula("sum(x**2)", x="f64[3]")
    function = await got(client.register(formula, name="n", labels={"a": "b"}, description="text"))
    assert (function.name, state.registered[0].description, state.uploads) == ("n", "text", {})


async def test_a_large_registration(client: Any, state: Served) -> None:
    """A large one is uploaded first, however often the upload is refused for a moment."""
    program = Program(
        StableHlo(bytes(3_000_000)), Signature((Argument("x", LEAF, (F64,)),), Result(LEAF, (F64,)))
    )
    state.refuse("RESOURCE_EXHAUSTED", "OVERLOADED", delay=0.01)
    await got(client.register(program, name="large"))
    assert list(state.uploads) == [digest(program)]
    assert state.registered[0].program_digest == digest(program)


async def test_listing_follows_pages(client: Any, state: Served) -> None:
    """All functions come in order; labels are asked of the server."""
    names = [function.name for function in await got(client.functions(page_size=2))]
    assert names == ["f0", "f1", "f2", "f3", "f4"]
    assert state.calls.count("ListFunctions") == 3
    assert await got(client.functions(labels={"a": "b"})) == []


async def test_deletion(client: Any, state: Served) -> None:
    """By name."""
    await got(client.delete("squares"))
    assert state.deleted == ["functions/squares"]


async def test_capabilities_and_health(client: Any) -> None:
    """What the server says of itself."""
    capabilities = await got(client.capabilities())
    assert (capabilities.server_version, capabilities.versions, capabilities.limits.batch) == (
        "9",
        {"jax": "1"},
        7,
    )
    assert capabilities.devices == (pullback.Device("cpu", "a chip", 0),)
    assert capabilities.quantities == ("value",)
    assert await got(client.health()) is pullback.Health.SERVING


async def test_compiling_ahead(squares: Any) -> None:
    """Reports arrive as they come, the last is the result."""
    reports: list[Any] = []
    last = await got(squares.compile(want=["grad"], batch=10, on_progress=reports.append))
    assert [report.state for report in reports] == ["started", "ready"]
    assert (last.elapsed, last.cached) == (2.5, True)
    assert not (await got(squares.compile())).cached


async def test_compiling_for_an_argument_that_is_not_there(squares: Any) -> None:
    """Refused before anything is sent."""
    with pytest.raises(pullback.InvalidArgumentError, match="no argument 'y'; the arguments are x"):
        await got(squares.compile(batch=2, shared=["y"]))


async def test_a_stream_answers_each_its_own(squares: Any) -> None:
    """The server answers in another order; every future gets its own answer."""
    async with entered(squares.stream()) as stream:
        futures = [stream.grad(X * number) for number in range(11)]
    for number, future in enumerate(futures):
        np.testing.assert_array_equal(await got(future), 2 * X * number)


async def test_a_failure_in_a_stream_is_its_own(squares: Any) -> None:
    """Whether the server or the client found it, the others are answered."""
    async with entered(squares.stream()) as stream:
        futures = [stream(X), stream(-np.ones(3)), stream(np.ones(4)), stream(X, timeout=1.0), stream(2 * X)]
    assert [await got(futures[0]), await got(futures[4])] == [14.0, 56.0]
    with pytest.raises(pullback.ServerError, match="EXECUTION_FAILED"):
        await got(futures[1])
    with pytest.raises(pullback.InvalidArgumentError, match="one more leading axis"):
        await got(futures[2])
    with pytest.raises(pullback.InvalidArgumentError, match="have no timeout="):
        await got(futures[3])


async def test_several_functions_on_one_stream(client: Any, squares: Any) -> None:
    """A client's stream carries calls of any function."""
    other = await got(client.register(pullback.Formula("sum(x**2)", x="f64[3]"), name="other"))
    async with entered(client.stream()) as stream:
        first, second = stream.function(squares).evaluate(X, want=["value"]), stream.function(other)(X)
    assert (await got(first)).revision == squares.revision
    assert await got(second) == 14.0


async def test_leaving_a_stream_by_an_exception(squares: Any, state: Served) -> None:
    """Gives up what is not answered; its futures say so."""
    state.hold.clear()
    futures = []

    async def leave() -> None:
        async with entered(squares.stream()) as stream:
            futures.append(stream(X))
            await asyncio.sleep(0.1)
            raise KeyError

    with pytest.raises(KeyError):
        await leave()
    with pytest.raises(pullback.UnavailableError, match="cancelled"):
        await got(futures[0])


async def test_a_stream_that_breaks(squares: Any, state: Served) -> None:
    """Everything on it fails with the reason, what comes later too, and nobody waits for ever.

    grpc.aio may lose the reason (grpc/grpc#36066); then at least it is said that the stream has ended.
    """
    broken = (pullback.DataLossError, pullback.UnavailableError)
    state.refuse("DATA_LOSS", "STORED_PROGRAM_DAMAGED", times=10)
    async with entered(squares.stream(in_flight=1)) as stream:
        futures = [stream(X), stream(X)]
        for future in futures:
            with pytest.raises(broken):
                await got(future)
        with pytest.raises(broken):
            await got(stream(X))


def test_a_status_that_grpc_lost() -> None:
    """What grpc.aio says in its place is no error of the server."""
    lost = grpc.aio.AioRpcError(
        grpc.StatusCode.INTERNAL, grpc.aio.Metadata(), grpc.aio.Metadata(), "Internal error from Core"
    )
    assert isinstance(call_error(lost, "host:1"), pullback.UnavailableError)


def test_the_twins_have_the_same_methods() -> None:
    """With the same parameters and defaults, and so has every carrier of the transformations."""
    for left, right in [
        (pullback.Client, pullback.aio.AsyncClient),
        (pullback.Function, pullback.aio.AsyncFunction),
        (Stream, AsyncStream),
        (StreamedFunction, AsyncStreamedFunction),
    ]:
        assert _public(left) == _public(right)
    assert issubclass(pullback.Function, Transformations)
    assert (
        str(inspect.signature(pullback.connect)).partition("->")[0]
        == (str(inspect.signature(pullback.aio.connect)).partition("->")[0])
    )
    assert inspect.signature(pullback.local).parameters == inspect.signature(pullback.aio.local).parameters


def _public(kind: type) -> dict[str, list[tuple[str, Any]]]:
    methods = {
        name: getattr(kind, name)
        for name in dir(kind)
        if not name.startswith("_") and callable(getattr(kind, name))
    }
    return {
        name: [(one.name, one.default) for one in inspect.signature(method).parameters.values()]
        for name, method in methods.items()
    }


async def test_awaiting_an_asynchronous_connection(served: tuple[str, Served]) -> None:
    """`await connect(...)` gives the client for those who close it themselves."""
    client = await pullback.aio.connect(served[0])
    assert await client.health() is pullback.Health.SERVING
    await client.close()


@pytest.mark.parametrize("connect", [pullback.connect, pullback.aio.connect])
async def test_nobody_at_home(connect: Any) -> None:
    """The message names the address and how to start a server."""
    async with entered(connect("127.0.0.1:1")) as client:
        with pytest.raises(
            pullback.UnavailableError, match=r"127\.0\.0\.1:1; start one with `pullback serve`"
        ):
            await got(client.health())
