"""Many requests of one stream at a time, each answered as it finishes."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

_Request = TypeVar("_Request")
_Answer = TypeVar("_Answer")


async def answer_each(
    read: Callable[[], Awaitable[_Request | None]],
    answer: Callable[[_Request], Coroutine[Any, Any, _Answer]],
    write: Callable[[_Answer], Awaitable[None]],
    at_once: int,
) -> None:
    """Answers requests in the order in which they finish.

    Reads on only while fewer than `at_once` requests are worked on or wait to be written, so that a
    client that does not read its answers fills no memory here.

    Args:
        read: Gives the next request; None when there are no more.
        answer: Answers one; must not raise.
        write: Takes the next answer.
        at_once: The most requests in hand.

    Raises:
        Exception: What reading the requests raises, after the answers to those that were read; what writing
            raises, at once.
    """
    finished: deque[asyncio.Task[_Answer]] = deque()
    working: set[asyncio.Task[_Answer]] = set()
    in_hand = 0
    news, place = asyncio.Event(), asyncio.Event()

    def finish(task: asyncio.Task[_Answer]) -> None:
        working.discard(task)
        finished.append(task)
        news.set()

    async def read_all() -> None:
        nonlocal in_hand
        while (request := await read()) is not None:
            while in_hand >= at_once:
                place.clear()
                await place.wait()
            in_hand += 1
            task = asyncio.create_task(answer(request))
            working.add(task)
            task.add_done_callback(finish)

    reading = asyncio.create_task(read_all())
    reading.add_done_callback(lambda _: news.set())
    try:
        while in_hand or not reading.done():
            while finished:
                await write(finished.popleft().result())
                in_hand -= 1
                place.set()
            news.clear()
            if in_hand or not reading.done():
                await news.wait()
        await reading
    finally:
        tasks = [reading, *working]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
