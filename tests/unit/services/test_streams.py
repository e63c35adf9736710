"""Many requests of a stream at a time: order, bounds, failures and ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from pullback_server.services.streams import answer_each


async def count(upto: int, read: list[int] | None = None) -> AsyncIterator[int]:
    """Numbers, each noted when it is read."""
    for number in range(upto):
        if read is not None:
            read.append(number)
        yield number
        await asyncio.sleep(0)


async def test_answers_as_they_finish() -> None:
    """The quick overtake the slow, and each is answered once."""

    async def answer(number: int) -> int:
        await asyncio.sleep(0.05 if number == 0 else 0.001 * number)
        return number

    answers = [each async for each in answer_each(count(6), answer, 10)]
    assert answers == [1, 2, 3, 4, 5, 0]


async def test_no_requests() -> None:
    """An empty stream has no answers."""

    async def answer(number: int) -> int:
        return number

    assert [each async for each in answer_each(count(0), answer, 3)] == []


async def test_bounded() -> None:
    """No more than the bound are worked on, and no more are read while answers are not taken."""
    working, most, read = 0, 0, list[int]()

    async def answer(number: int) -> int:
        nonlocal working, most
        working += 1
        most = max(most, working)
        await asyncio.sleep(0.001)
        working -= 1
        return number

    async with aclosing(answer_each(count(50, read), answer, 3)) as answers:
        assert await anext(answers) in (0, 1, 2)
        await asyncio.sleep(0.05)
        assert len(read) <= 5
        rest = [each async for each in answers]
    assert (most, len(rest)) == (3, 49)


async def test_broken_input() -> None:
    """Where reading fails, what was read is answered before the failure is told."""

    async def broken() -> AsyncIterator[int]:
        yield 1
        yield 2
        raise ValueError("torn")

    async def answer(number: int) -> int:
        await asyncio.sleep(0.01)
        return number

    answers: list[int] = []

    async def take() -> None:
        answers.extend([each async for each in answer_each(broken(), collect, 5)])

    async def collect(number: int) -> int:
        answers.append(await answer(number))
        return number

    with pytest.raises(ValueError, match="torn"):
        await take()
    assert answers == [1, 2]


async def test_left_in_the_middle() -> None:
    """A reader that goes away has all work cancelled before the generator is closed."""
    cancelled = 0

    async def answer(number: int) -> int:
        nonlocal cancelled
        try:
            await asyncio.sleep(0 if number == 0 else 60)
        except asyncio.CancelledError:
            cancelled += 1
            raise
        return number

    async with aclosing(answer_each(count(4), answer, 10)) as answers:
        assert await anext(answers) == 0
        await asyncio.sleep(0.01)
    assert cancelled == 3
    assert asyncio.all_tasks() == {asyncio.current_task()}
