"""Bytes that flow between the event loop and threads: all of them, in order, and nobody waits for ever."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from typing import IO

import pytest

from pullback_server.services.flowing import flow_in, flow_out

SIZES = [0, 1, 65_536, 3_000_001]


def content(size: int) -> bytes:
    """Bytes that differ from place to place."""
    return os.urandom(size)


def descriptors() -> int:
    """How many files this process has open."""
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 -- names only


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    """Neither descriptors nor threads."""
    before = threading.active_count()
    yield
    for thread in threading.enumerate():
        if thread.name.startswith("flow-"):
            thread.join(5)
    assert threading.active_count() <= before


@pytest.mark.parametrize("size", SIZES)
async def test_out(size: int) -> None:
    """What is written comes whole, and files are closed."""
    data, before = content(size), descriptors()

    def write(file: IO[bytes]) -> None:
        for start in range(0, size, 10_000):
            file.write(data[start : start + 10_000])

    assert b"".join([chunk async for chunk in flow_out(write)]) == data
    assert descriptors() == before


@pytest.mark.parametrize("size", SIZES)
async def test_in(size: int) -> None:
    """What comes is read whole, in whatever pieces it comes."""
    data, before = content(size), descriptors()

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, size, 999_999):
            yield data[start : start + 999_999]

    assert await flow_in(chunks(), lambda file: file.read()) == data
    assert descriptors() == before


async def test_an_error_of_who_writes() -> None:
    """Comes after what was written before it."""

    def write(file: IO[bytes]) -> None:
        file.write(b"some")
        raise KeyError("broken")

    chunks = flow_out(write)
    assert await anext(chunks) == b"some"
    with pytest.raises(KeyError):
        await anext(chunks)


async def test_nobody_reads_any_more() -> None:
    """Who writes is told, however much there is."""
    told: list[BaseException] = []

    def write(file: IO[bytes]) -> None:
        try:
            for _ in range(1_000_000):
                file.write(bytes(65_536))
        except OSError as error:
            told.append(error)
            raise

    async with aclosing(flow_out(write)) as chunks:
        async for _ in chunks:
            break
    assert isinstance(told[0], BrokenPipeError)


async def test_who_reads_has_enough() -> None:
    """What it gives counts, and the rest is not waited for."""

    async def chunks() -> AsyncIterator[bytes]:
        while True:
            yield bytes(100_000)

    assert await asyncio.wait_for(flow_in(chunks(), lambda file: file.read(10)), 10) == bytes(10)


async def test_who_reads_fails() -> None:
    """Its error is told."""

    def read(file: IO[bytes]) -> None:
        raise KeyError(file.read(1))

    async def chunks() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 100_000

    with pytest.raises(KeyError, match="x"):
        await asyncio.wait_for(flow_in(chunks(), read), 10)


async def test_bytes_that_break_off() -> None:
    """Who reads sees the end, and the reason is told."""
    seen: list[bytes] = []

    async def chunks() -> AsyncIterator[bytes]:
        yield b"some"
        raise KeyError("broken")

    with pytest.raises(KeyError):
        await flow_in(chunks(), lambda file: seen.append(file.read()))
    assert seen == [b"some"]


async def test_a_call_that_is_cancelled() -> None:
    """Ends both sides."""
    before = descriptors()
    endless = asyncio.Event()

    async def chunks() -> AsyncIterator[bytes]:
        yield b"some"
        await endless.wait()

    waiting = asyncio.create_task(flow_in(chunks(), lambda file: file.read()))
    await asyncio.sleep(0.05)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert descriptors() == before
