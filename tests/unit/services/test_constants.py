"""Constants that are uploaded, and calls that are broken off meanwhile."""

from __future__ import annotations

import asyncio
import errno
import gc
import threading
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from pullback.v1 import functions_pb2 as pb
from pullback_server.registry.registry import Registry
from pullback_server.services.constants import Constants
from pullback_server.services.requests.limits import Limits


class _Slow:
    """A registry, and a file that comes, whose disk waits until it is let."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.waiting = threading.Event()
        self.let = threading.Event()
        self.full = False

    def require_room(self, nbytes: int, tenant: str) -> None:
        """There is."""

    def arrive(self) -> _Slow:
        """The file."""
        return self

    def add(self, _data: bytes) -> None:
        """Takes its time."""
        self.waiting.set()
        self.let.wait(10)
        self.done.append("add")
        if self.full:
            raise OSError(errno.ENOSPC, "no space")

    def drop(self) -> None:
        """Closes the file."""
        self.done.append("drop")


async def _chunks() -> AsyncIterator[pb.UploadConstantRequest]:
    yield pb.UploadConstantRequest(digest="ab" * 32, size_bytes=8, chunk=b"four")


@pytest.mark.parametrize("times", [1, 2])
async def test_a_file_is_closed_after_the_last_write(limits: Limits, times: int) -> None:
    """Also if the call is broken off while a thread writes, or for a second time while it waits for that."""
    disk = _Slow()
    constants = Constants(cast(Registry, disk), limits)
    upload = asyncio.create_task(constants.upload(_chunks()))
    assert await asyncio.to_thread(disk.waiting.wait, 10)
    for _ in range(times):
        upload.cancel()
        await asyncio.sleep(0.05)
    assert disk.done == []
    disk.let.set()
    with pytest.raises(asyncio.CancelledError):
        await upload
    assert disk.done == ["add", "drop"]


async def test_a_write_that_fails_after_its_call_has_gone(limits: Limits) -> None:
    """Nobody waits for it any more, and nobody is told."""
    told = list[dict[str, Any]]()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    disk = _Slow()
    disk.full = True
    upload = asyncio.create_task(Constants(cast(Registry, disk), limits).upload(_chunks()))
    assert await asyncio.to_thread(disk.waiting.wait, 10)
    upload.cancel()
    await asyncio.sleep(0.05)
    disk.let.set()
    with pytest.raises(asyncio.CancelledError):
        await upload
    del upload
    gc.collect()
    assert (disk.done, told) == (["add", "drop"], [])
