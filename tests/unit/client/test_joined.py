"""Calls that are made at the same time travel together, by threads and by tasks, in one matrix."""

from __future__ import annotations

import asyncio
import inspect
import signal
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import pullback
from pullback import _joined
from pullback._evaluation.lanes import PLACES

X = np.array([1.0, 2.0, 3.0])
Served = Any
Calls = Sequence[Callable[[], Any]]


class Together:
    """Makes calls at the same time, by threads or by tasks, as the client wants it."""

    def __init__(self, function: Any) -> None:
        self.function = function
        self._pool = ThreadPoolExecutor(64)

    def start(self, call: Callable[[], Any]) -> asyncio.Future[Any]:
        """Starts a call."""
        if isinstance(self.function, pullback.Function):
            return asyncio.get_running_loop().run_in_executor(self._pool, call)
        return asyncio.ensure_future(call())

    async def start_all(self, calls: Calls) -> list[asyncio.Future[Any]]:
        """Starts calls one after the other, so that the first are under way and the others wait."""
        futures = []
        for call in calls:
            futures.append(self.start(call))
            await asyncio.sleep(0.02)
        return futures


@pytest.fixture(params=["sync", "async"])
async def together(request: pytest.FixtureRequest, served: tuple[str, Served]) -> AsyncIterator[Together]:
    """Who calls the sum of squares, through a client of either kind."""
    if request.param == "sync":
        with pullback.connect(served[0], timeout=10) as client:
            yield Together(client.function("squares"))
    else:
        async with pullback.aio.connect(served[0], timeout=10) as asynchronous:
            yield Together(await asynchronous.function("squares"))


@pytest.fixture
def state(served: tuple[str, Served]) -> Served:
    """The server's state; it holds everything until it is told to go on."""
    served[1].hold.clear()
    return served[1]


async def answers(futures: Sequence[asyncio.Future[Any]]) -> list[Any]:
    """What came of all, errors as they are."""
    return await asyncio.gather(*futures, return_exceptions=True)


def grads(function: Any, count: int) -> list[Callable[[], Any]]:
    """Calls at so many points."""
    return [lambda number=number: function.grad(X * number) for number in range(count)]  # type: ignore[misc]


async def test_what_waits_travels_together(together: Together, state: Served) -> None:
    """The first go at once; the others are one batch, and each gets its own gradient."""
    futures = await together.start_all(grads(together.function, 9))
    state.hold.set()
    for number, gradient in enumerate(await answers(futures)):
        np.testing.assert_array_equal(gradient, 2 * X * number)
        assert gradient.flags.writeable
    assert sorted(state.points, key=str) == [9 - PLACES, *[None] * PLACES]


async def test_other_derivatives_do_not_wait(together: Together, state: Served) -> None:
    """Each kind has its own messages, and small batches travel with points."""
    f = together.function
    calls = [*grads(f, 3), *[lambda: f(X)] * 3, lambda: f.grad(np.stack([X, 2 * X]))]
    futures = await together.start_all(calls)
    state.hold.set()
    *_, three, value, _, _, both = await answers(futures)
    np.testing.assert_array_equal(three, 4 * X)
    np.testing.assert_array_equal(both, [2 * X, 4 * X])
    assert (value.shape, value) == ((), 14.0)
    assert sorted(state.points, key=str) == [3, *[None] * 5]


async def test_the_innocent_are_answered(together: Together, state: Served) -> None:
    """Where a joined message fails for what one may have done, each is sent alone."""
    f = together.function
    calls = [*grads(f, 4), lambda: f.grad(-np.ones(3))]
    futures = await together.start_all(calls)
    state.hold.set()
    *innocent, guilty = await answers(futures)
    for number, gradient in enumerate(innocent):
        np.testing.assert_array_equal(gradient, 2 * X * number)
    assert isinstance(guilty, pullback.ServerError)
    assert guilty.reason == "EXECUTION_FAILED"
    assert sorted(state.points, key=str) == [3, *[None] * 5]


async def test_what_is_nobody_s_fault_is_everybody_s_failure(together: Together, state: Served) -> None:
    """And is waited for as ever: nobody storms a server that has no room."""
    futures = await together.start_all(grads(together.function, 6))
    state.refuse("RESOURCE_EXHAUSTED", "OVERLOADED", delay=0.1)
    state.hold.set()
    for number, gradient in enumerate(await answers(futures)):
        np.testing.assert_array_equal(gradient, 2 * X * number)


async def test_a_timeout_is_its_caller_s_own(together: Together, state: Served) -> None:
    """The others of its message are answered, and it does not wait for them."""
    f = together.function
    start = time.monotonic()
    futures = await together.start_all([*grads(f, 4), lambda: f.grad(X, timeout=0.3)])
    with pytest.raises(pullback.DeadlineExceededError):
        await futures[-1]
    assert time.monotonic() - start < 5.0
    state.hold.set()
    for number, gradient in enumerate(await answers(futures[:4])):
        np.testing.assert_array_equal(gradient, 2 * X * number)
    assert sorted(state.points, key=str) == [2, None, None]


async def test_a_short_timeout_does_not_shorten_others(together: Together, state: Served) -> None:
    """Who travels with one that has little time has all of its own."""
    f = together.function
    alone = await together.start_all([lambda: f.grad(X, timeout=0.5)] * PLACES)
    short, long = await together.start_all([lambda: f.grad(X, timeout=1.0), lambda: f.grad(2 * X)])
    ended = [*await answers(alone), *await answers([short])]
    assert [type(error) for error in ended] == [pullback.DeadlineExceededError] * (PLACES + 1)
    state.hold.set()
    np.testing.assert_array_equal(await long, 4 * X)
    assert state.points.count(2) == 1


@pytest.mark.parametrize("which", [0, 2, 3])
async def test_a_cancelled_task_disturbs_nobody(
    served: tuple[str, Served], state: Served, which: int
) -> None:
    """Whether it was alone under way, or waited to travel with others."""
    async with pullback.aio.connect(served[0], timeout=10) as client:
        together = Together(await client.function("squares"))
        futures = await together.start_all(grads(together.function, 5))
        futures[which].cancel()
        await asyncio.sleep(0.05)
        state.hold.set()
        ended = await answers(futures)
    assert isinstance(ended.pop(which), asyncio.CancelledError)
    numbers = [number for number in range(5) if number != which]
    for number, gradient in zip(numbers, ended, strict=True):
        np.testing.assert_array_equal(gradient, 2 * X * number)


async def test_a_task_that_is_cancelled_in_a_joined_message(
    served: tuple[str, Served], state: Served
) -> None:
    """Its answer is dropped, those of the others come."""
    async with pullback.aio.connect(served[0], timeout=10) as client:
        f = await client.function("squares")
        together = Together(f)
        alone = await together.start_all([lambda: f.grad(X, timeout=0.4)] * PLACES)
        joined = await together.start_all(grads(f, 3))
        await answers(alone)
        await asyncio.sleep(0.1)
        joined[1].cancel()
        state.hold.set()
        first, second, third = await answers(joined)
    assert isinstance(second, asyncio.CancelledError)
    np.testing.assert_array_equal(first, 0 * X)
    np.testing.assert_array_equal(third, 4 * X)


async def until(happened: Callable[[], bool]) -> None:
    """Waits for something, for at most five seconds."""
    deadline = time.monotonic() + 5.0
    while not happened():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)


async def test_the_last_task_takes_its_message_along(served: tuple[str, Served], state: Served) -> None:
    """A joined message goes on while anybody waits for it, and ends when nobody does."""
    async with pullback.aio.connect(served[0], timeout=10) as client:
        f = await client.function("squares")
        together = Together(f)
        alone = await together.start_all([lambda: f.grad(X, timeout=0.8)] * PLACES)
        joined = await together.start_all([*grads(f, 2), lambda: f.grad(X, timeout=1.6)])
        await answers([*alone, joined.pop()])
        joined[0].cancel()
        await asyncio.sleep(0.1)
        assert (state.calls.count("Evaluate"), state.ended.count("Evaluate")) == (PLACES + 1, PLACES)
        joined[1].cancel()
        await until(lambda: state.ended.count("Evaluate") == PLACES + 1)
        state.hold.set()
        np.testing.assert_array_equal(await f.grad(X), 2 * X)


class Interrupted(Exception):  # noqa: N818 -- as KeyboardInterrupt
    """Ctrl-C, for a test."""


@pytest.fixture
def interrupt() -> Iterator[Callable[[], None]]:
    """Interrupts the main thread, wherever it waits."""

    def interrupted(*_: object) -> None:
        raise Interrupted

    before = signal.signal(signal.SIGUSR1, interrupted)
    main = threading.main_thread().ident
    assert main is not None
    yield lambda: signal.pthread_kill(main, signal.SIGUSR1)
    signal.signal(signal.SIGUSR1, before)


def test_the_last_thread_takes_its_message_along(
    served: tuple[str, Served], state: Served, interrupt: Callable[[], None]
) -> None:
    """Where all others of a joined message have had no more time, and it is interrupted."""
    ended = []
    with pullback.connect(served[0], timeout=10) as client, ThreadPoolExecutor() as pool:
        f = client.function("squares")
        alone = [pool.submit(f.grad, X, timeout=1.0) for _ in range(PLACES)]
        time.sleep(0.1)
        short = pool.submit(f.grad, X, timeout=2.0)

        def interrupt_when_the_short_has_gone() -> None:
            assert all(isinstance(each.exception(5), TimeoutError) for each in [*alone, short])
            ended.append(state.ended.count("Evaluate"))
            interrupt()

        interrupting = pool.submit(interrupt_when_the_short_has_gone)
        with pytest.raises(Interrupted):
            f.grad(X)
        interrupting.result(5)
        asyncio.run(until(lambda: state.ended.count("Evaluate") == PLACES + 1))
        assert (state.calls.count("Evaluate"), ended) == (PLACES + 1, [PLACES])
        state.hold.set()
        np.testing.assert_array_equal(f.grad(X), 2 * X)


async def test_a_message_that_is_deserted_before_it_goes(served: tuple[str, Served]) -> None:
    """Nothing is sent, and its place is free."""
    sent: list[asyncio.Future[Any]] = []

    def evaluate(*_: object, **__: object) -> asyncio.Future[Any]:
        sent.append(asyncio.get_running_loop().create_future())
        return sent[-1]

    async with pullback.aio.connect(served[0], timeout=10) as client:
        f = await client.function("squares")
        client._joined._evaluate = evaluate  # type: ignore[union-attr, assignment]
        tasks = [asyncio.create_task(f.grad(X)) for _ in range(PLACES + 1)]
        await asyncio.sleep(0.01)
        sent[0].set_exception(Interrupted)
        tasks[-1].cancel()
        await asyncio.sleep(0.01)
        assert len(sent) == PLACES
        tasks.append(asyncio.create_task(f.grad(X)))
        await asyncio.sleep(0.01)
        assert len(sent) == PLACES + 1
        for each in sent:
            each.cancel()
        await answers(tasks)


async def test_who_sends_for_others_is_interrupted(
    served: tuple[str, Served], state: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own call fails, the others go alone, and those who come later have their places."""

    def interrupted(_: object) -> None:
        monkeypatch.undo()
        raise Interrupted

    with pullback.connect(served[0], timeout=10) as client:
        together = Together(client.function("squares"))
        calls = await together.start_all(grads(together.function, PLACES + 6))
        monkeypatch.setattr(_joined, "join", interrupted)
        state.hold.set()
        outcomes = await answers(calls)
        assert sum(isinstance(each, Interrupted) for each in outcomes) == 1
        later = await answers(await together.start_all(grads(together.function, PLACES + 6)))
    for number, outcome in [*enumerate(outcomes), *enumerate(later)]:
        if not isinstance(outcome, Interrupted):
            np.testing.assert_array_equal(outcome, 2 * X * number)


@pytest.mark.parametrize("connect", [pullback.connect, pullback.aio.connect])
async def test_joining_can_be_switched_off(connect: Any, served: tuple[str, Served], state: Served) -> None:
    """Then each call is a message."""
    client = connect(served[0], timeout=10, join=False)
    found = client.function("squares")
    together = Together(await found if inspect.isawaitable(found) else found)
    futures = await together.start_all(grads(together.function, 6))
    state.hold.set()
    await answers(futures)
    assert state.points == [None] * 6
    closed = client.close()
    if inspect.isawaitable(closed):
        await closed


async def test_closing_a_client(together: Together, state: Served, served: tuple[str, Served]) -> None:
    """Nobody waits for ever."""
    del served
    client = together.function._client
    futures = await together.start_all(grads(together.function, 5))
    closed = client.close()
    if inspect.isawaitable(closed):
        await closed
    _, pending = await asyncio.wait(futures, timeout=8)
    assert not pending
    assert all(future.cancelled() or future.exception() is not None for future in futures)
    state.hold.set()
