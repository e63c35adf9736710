"""Callers that go before they are answered, against a real server: it works for them no more."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

import pullback
from pullback._evaluation.lanes import PLACES

X = np.full(1200, 1e-2)
ALONE_SECONDS = 0.8
JOINED = 3


@pytest.fixture(scope="module")
def slow(client: pullback.Client) -> pullback.Function:
    """A function whose small argument takes long to work on, compiled ahead."""

    def work(x: Any) -> Any:
        a = jnp.outer(x, x)
        for _ in range(12):
            a = a @ a
        return jnp.sum(a)

    function = client.register(work, X, name="slow")
    function.compile()
    function.compile(batch=JOINED)
    return function


def joined(client: pullback.Client) -> list[pullback.RecordedRequest]:
    """What the server has had of joined messages, the last first."""
    return [each for each in client.administration.requests() if each.points is not None]


def until(happened: Callable[[], bool]) -> float:
    """Waits for something; gives how many seconds that took."""
    began = time.monotonic()
    while not happened():
        assert time.monotonic() - began < 10.0
        time.sleep(0.005)
    return time.monotonic() - began


def last_is_in_hand(client: pullback.Client) -> bool:
    """Whether the server works on a joined message."""
    return any(each.in_hand for each in joined(client))


async def test_all_tasks_of_a_message(client: pullback.Client, slow: pullback.Function) -> None:
    """Its place is free at once when the last goes, and not before."""
    async with pullback.aio.connect(client.address) as asynchronous:
        f = await asynchronous.function(slow.name)
        alone = [asyncio.create_task(f(X, timeout=ALONE_SECONDS)) for _ in range(PLACES)]
        await asyncio.sleep(0.1)
        tasks = [asyncio.create_task(f(X)) for _ in range(JOINED)]
        await asyncio.gather(*alone, return_exceptions=True)
        await asyncio.to_thread(until, lambda: last_is_in_hand(client))
        for task in tasks[1:]:
            task.cancel()
        await asyncio.sleep(0.1)
        assert last_is_in_hand(client)
        tasks[0].cancel()
        took = await asyncio.to_thread(until, lambda: not last_is_in_hand(client))
        assert took < 0.1 + 0.2  # and what asking takes
    assert (joined(client)[0].points, joined(client)[0].reason) == (JOINED, "CANCELLED")


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


def test_all_threads_of_a_message(
    client: pullback.Client, slow: pullback.Function, interrupt: Callable[[], None]
) -> None:
    """One has no more time, the other is interrupted."""
    before = len(joined(client))

    def interrupt_when_the_short_has_gone() -> None:
        until(lambda: len(joined(client)) > before)
        assert isinstance(short.exception(10), pullback.DeadlineExceededError)
        assert last_is_in_hand(client)
        interrupt()

    with ThreadPoolExecutor() as pool:
        for _ in range(PLACES):
            pool.submit(slow, X, timeout=ALONE_SECONDS)
        time.sleep(0.1)
        short = pool.submit(slow, X, timeout=2 * ALONE_SECONDS)
        interrupting = pool.submit(interrupt_when_the_short_has_gone)
        with pytest.raises(Interrupted):
            slow(X)
        assert until(lambda: not last_is_in_hand(client)) < 0.1 + 0.2
        interrupting.result()
    assert (joined(client)[0].points, joined(client)[0].reason) == (2, "CANCELLED")


def test_a_deadline_is_found_in_what_the_server_remembers(
    client: pullback.Client, slow: pullback.Function
) -> None:
    """By the id that the error has, though the server never answered."""
    with pytest.raises(pullback.DeadlineExceededError) as caught:
        slow(X, timeout=0.3)
    recorded = {each.request_id: each for each in client.administration.requests()}
    assert recorded[caught.value.request_id].function.startswith("slow@")


async def test_a_deadline_of_a_task(client: pullback.Client, slow: pullback.Function) -> None:
    """Likewise."""
    async with pullback.aio.connect(client.address) as asynchronous:
        f = await asynchronous.function(slow.name)
        with pytest.raises(pullback.DeadlineExceededError) as caught:
            await f(X, timeout=0.3)
        ids = [each.request_id for each in await asynchronous.administration.requests()]
    assert caught.value.request_id in ids
