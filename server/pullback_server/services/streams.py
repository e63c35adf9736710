"""Many requests of one stream at a time, each answered as it finishes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import TypeVar

_Request = TypeVar("_Request")
_Answer = TypeVar("_Answer")


async def answer_each(
    requests: AsyncIterator[_Request], answer: Callable[[_Request], Awaitable[_Answer]], at_once: int
) -> AsyncGenerator[_Answer, None]:
    """Answers requests in the order in which they finish.

    Reads on only while fewer than `at_once` requests are worked on or wait to be taken, so that a
    client that does not read its answers fills no memory here.

    Args:
        requests: The requests.
        answer: Answers one; must not raise.
        at_once: The most requests in hand.

    Raises:
        Exception: What reading the requests raises, after the answers to those that were read.
    """
    places = asyncio.Semaphore(at_once)
    answers: asyncio.Queue[_Answer | None] = asyncio.Queue()
    working: set[asyncio.Task[None]] = set()

    async def work(request: _Request) -> None:
        answers.put_nowait(await answer(request))

    async def read() -> None:
        try:
            async for request in requests:
                await places.acquire()
                task = asyncio.create_task(work(request))
                working.add(task)
                task.add_done_callback(working.discard)
        finally:
            await asyncio.gather(*working)
            answers.put_nowait(None)

    reading = asyncio.create_task(read())
    try:
        while (finished := await answers.get()) is not None:
            yield finished
            places.release()
        await reading
    finally:
        tasks = [reading, *working]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
