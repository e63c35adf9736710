"""The arena: real shared memory, whose blocks live as long as somebody looks at them."""

from __future__ import annotations

import fcntl
import gc
import mmap
import os
import sys
import threading

import numpy as np
import psutil
import pytest
from sharing_memory import mapped_memory

from pullback_server.engine.arena import Arena, open_arena

MIB = 1 << 20
pytestmark = [
    pytest.mark.usefixtures("small_heap"),
    pytest.mark.skipif(sys.platform != "linux", reason="memory without a name is Linux's"),
]


def test_a_view_keeps_its_block() -> None:
    """A block is free when the last view of its memory has gone, not before."""
    arena = Arena(MIB, MIB)
    block = arena.take(100_001)
    assert block is not None
    view = memoryview(block.memory)[10:20]
    array = np.frombuffer(view, np.uint8)[2:5]
    assert arena.in_use == 100_032
    del block, view
    assert arena.in_use == 100_032
    array[:] = 7
    del array
    assert (arena.in_use, arena.peak) == (0, 100_032)


def test_both_sides_see_the_same() -> None:
    """Another map of the same file sees what is written, at the place that the block tells."""
    arena = Arena(MIB, MIB)
    first, second = arena.take(64), arena.take(5)
    assert first is not None
    assert second is not None
    second.memory[:] = (1, 2, 3, 4, 5)
    other = mmap.mmap(arena.segment.descriptor, MIB)
    assert other[second.place.offset :][:5] == bytes((1, 2, 3, 4, 5))
    assert bytes(second.place.view) == bytes((1, 2, 3, 4, 5))
    assert second.place.offset % 64 == 0


def test_what_does_not_fit_is_refused() -> None:
    """A full arena gives no block, and gives one again when there is room."""
    arena = Arena(MIB, 0)
    block = arena.take(MIB)
    assert block is not None
    assert arena.take(1) is None
    del block
    assert arena.take(MIB + 1) is None
    assert arena.take(MIB) is not None


@pytest.mark.parametrize("kept", [0, 3 * MIB, 64 * MIB])
def test_memory_is_given_back(kept: int) -> None:
    """Of what was used, no more stays than should; what comes again is zero then, not old."""
    arena = Arena(16 * MIB, kept)
    blocks = [arena.take(MIB) for _ in range(12)]
    for block in blocks:
        assert block is not None
        block.memory[:] = 9
    del block
    assert _backed(arena) == arena.backed == 12 * MIB
    blocks.clear()
    assert arena.in_use == 0
    assert _backed(arena) == arena.backed <= kept + MIB
    assert arena.backed == min(12 * MIB, arena.backed)
    assert kept < 12 * MIB or arena.backed == 12 * MIB


def test_nobody_can_make_it_shorter() -> None:
    """A worker that a program has damaged cannot take memory away under the front."""
    arena = Arena(MIB, 0)
    with pytest.raises(PermissionError):
        os.ftruncate(arena.segment.descriptor, 0)
    with pytest.raises(PermissionError):
        fcntl.fcntl(arena.segment.descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE)


def test_threads_drop_blocks() -> None:
    """Blocks that threads drop while others are taken all come back."""
    arena = Arena(4 * MIB, MIB)
    work = [[arena.take(1000 + i) for i in range(200)] for _ in range(4)]
    threads = [threading.Thread(target=blocks.clear) for blocks in work]
    for thread in threads:
        thread.start()
    taken = [arena.take(5000) for _ in range(100)]
    for thread in threads:
        thread.join()
    assert arena.in_use == sum(-(-5000 // 64) * 64 for block in taken if block)
    taken.clear()
    assert arena.in_use == 0


def test_nothing_is_left() -> None:
    """An arena that nobody holds leaves no open file and no map, once its blocks have gone as well."""
    before = psutil.Process().num_fds()
    arena = Arena(MIB, MIB)
    inode = os.fstat(arena.segment.descriptor).st_ino
    assert inode in mapped_memory()
    block = arena.take(77)
    del arena
    gc.collect()
    assert block is not None
    block.memory[:] = 3
    del block
    gc.collect()
    assert psutil.Process().num_fds() == before
    assert inode not in mapped_memory()


def test_none_is_wanted() -> None:
    """With 0 bytes there is no arena."""
    assert open_arena(0, 0) is None
    assert open_arena(1, 0) is not None


def _backed(arena: Arena) -> int:
    return os.fstat(arena.segment.descriptor).st_blocks * 512
