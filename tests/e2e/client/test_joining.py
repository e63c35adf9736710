"""Calls of one process that travel together, against a real server."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import pullback

CALLERS = 64
ROUNDS = 5


@pytest.fixture(scope="module")
def cubes(client: pullback.Client) -> pullback.Function:
    """A function of two arguments, whose derivatives are known."""
    formula = pullback.Formula("sum(x**3) * y", x="f64[4]", y="f64[]")
    return client.register(formula, name="cubes")


def point(number: int) -> tuple[np.ndarray[Any, Any], float]:
    """The arguments of one caller."""
    return np.arange(4.0) + number / CALLERS, 1.0 + number


def check(number: int, kind: int, result: Any) -> None:
    """Compares what a caller got with what is right."""
    x, y = point(number)
    match kind:
        case 0:
            np.testing.assert_allclose(result, 3 * x**2 * y, rtol=1e-12)
        case 1:
            np.testing.assert_allclose(result, np.diag(6 * x * y), rtol=1e-12)
        case 2:
            value, (by_x, by_y) = result
            np.testing.assert_allclose(value, np.sum(x**3) * y, rtol=1e-12)
            np.testing.assert_allclose(by_x, 3 * x**2 * y, rtol=1e-12)
            np.testing.assert_allclose(by_y, np.sum(x**3), rtol=1e-12)
        case _:
            np.testing.assert_allclose(result, np.stack([3 * x**2 * y, 12 * x**2 * y]), rtol=1e-12)


def ask(function: Any, number: int, kind: int) -> Any:
    """One of several derivatives; the last has two points that share y."""
    x, y = point(number)
    match kind:
        case 0:
            return function.grad(x, y)
        case 1:
            return function.hessian(x, y)
        case 2:
            return function.value_and_grad(x, y, argnums=(0, 1))
        case _:
            return function.grad(np.stack([x, 2 * x]), y)


def test_many_threads(cubes: pullback.Function) -> None:
    """Each gets its own results, of whatever derivative."""

    def work(number: int) -> None:
        for step in range(ROUNDS):
            kind = (number + step) % 4
            check(number, kind, ask(cubes, number, kind))

    with ThreadPoolExecutor(CALLERS) as pool:
        list(pool.map(work, range(CALLERS)))


async def test_many_tasks(client: pullback.Client, cubes: pullback.Function) -> None:
    """As threads do."""
    async with pullback.aio.connect(client.address) as asynchronous:
        function = await asynchronous.function(cubes.name)

        async def work(number: int) -> None:
            for step in range(ROUNDS):
                kind = (number + step) % 4
                check(number, kind, await ask(function, number, kind))

        await asyncio.gather(*map(work, range(CALLERS)))


def test_they_do_travel_together(cubes: pullback.Function) -> None:
    """The timing of a result says how many points ran together."""
    cubes.compile(["grad"], batch=CALLERS)

    def work(number: int) -> int:
        x, y = point(number)
        results = [cubes.evaluate(x, y, want=["grad"]) for _ in range(ROUNDS)]
        return max(result.timing.batch for result in results)

    with ThreadPoolExecutor(CALLERS) as pool:
        assert max(pool.map(work, range(CALLERS))) > 1


def test_one_timeout_among_many(cubes: pullback.Function) -> None:
    """Whoever has no time fails alone."""

    def work(number: int) -> Any:
        x, y = point(number)
        try:
            return cubes.grad(x, y, timeout=1e-4 if number % 2 else None)
        except pullback.DeadlineExceededError:
            return None

    with ThreadPoolExecutor(CALLERS) as pool:
        results = list(pool.map(work, range(CALLERS)))
    for number in range(0, CALLERS, 2):
        check(number, 0, results[number])
    assert any(result is None for result in results)


async def test_some_tasks_are_cancelled(client: pullback.Client, cubes: pullback.Function) -> None:
    """The others are answered."""
    async with pullback.aio.connect(client.address) as asynchronous:
        function = await asynchronous.function(cubes.name)
        tasks = [asyncio.create_task(ask(function, number, 0)) for number in range(CALLERS)]
        await asyncio.sleep(0)
        for task in tasks[::3]:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    for number, result in enumerate(results):
        if number % 3:
            check(number, 0, result)
        else:
            assert isinstance(result, asyncio.CancelledError)
