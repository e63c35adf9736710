"""Bytes between the event loop and what writes or reads a file, in threads of its own.

A pipe lies between: whoever is faster waits, and whoever goes away is missed by the other.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import IO, Any, Final, TypeVar

_T = TypeVar("_T")
_CHUNK: Final = 1 << 18
# One that reads or writes the file, one at the other end of the pipe.
_THREADS: Final = 2


async def flow_out(write: Callable[[IO[bytes]], object]) -> AsyncGenerator[bytes, None]:
    """The bytes that something writes, as they come.

    Args:
        write: Writes to a file that cannot be sought in; gets a BrokenPipeError when nobody reads any more.

    Raises:
        Exception: What it raises, after the bytes that it wrote before.
    """
    outlet, inlet = os.pipe()

    def work() -> None:
        with os.fdopen(inlet, "wb", _CHUNK) as file:
            write(file)

    threads = ThreadPoolExecutor(_THREADS, "flow-out")
    working = threads.submit(work)
    try:
        while chunk := await _whole(threads.submit(os.read, outlet, _CHUNK)):
            yield chunk
    finally:
        os.close(outlet)
        await _end(working)
        threads.shutdown(wait=False)
    working.result()


async def flow_in(chunks: AsyncIterator[bytes], read: Callable[[IO[bytes]], _T]) -> _T:
    """Has something read bytes as they come, and gives what it makes of them.

    Args:
        chunks: The bytes.
        read: Reads a file that cannot be sought in, which ends where the bytes end, also if they break off.
            It need not read all of it.

    Raises:
        Exception: What it raises, or what the bytes raise.
    """
    outlet, inlet = os.pipe()

    def work() -> _T:
        with os.fdopen(outlet, "rb", _CHUNK) as file:
            return read(file)

    threads = ThreadPoolExecutor(_THREADS, "flow-in")
    working = threads.submit(work)
    try:
        async for chunk in chunks:
            await _whole(threads.submit(_write, inlet, chunk))
    except BrokenPipeError:
        pass  # it has read what it wanted, or has failed, which its result tells
    finally:
        os.close(inlet)
        await _end(working)
        threads.shutdown(wait=False)
    return working.result()


def _write(descriptor: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]


async def _whole(work: Future[_T]) -> _T:
    """What a thread does; waits for its end in any case, since its descriptor must stay open until then."""
    try:
        return await asyncio.shield(asyncio.wrap_future(work))
    finally:
        await _end(work)


async def _end(work: Future[Any]) -> None:
    """Waits until a thread is done, whatever comes of it."""
    await asyncio.gather(asyncio.wrap_future(work), return_exceptions=True)
