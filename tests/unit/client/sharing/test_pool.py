"""Blocks of shared memory: apart from each other, bounded, and back when nobody looks at them any more."""

from __future__ import annotations

import gc
import itertools
import mmap
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pullback._sharing.pool import Block, Pool
from pullback._sharing.segments import Segment

pytestmark = pytest.mark.usefixtures("small_heap")


class Maker:
    """Makes segments, and is the server's end of their connections."""

    def __init__(self) -> None:
        self.ends: dict[int, socket.socket] = {}

    def __call__(self, size: int) -> Segment:
        """A segment of so many bytes."""
        ours, theirs = socket.socketpair()
        number = len(self.ends) + 1
        self.ends[number] = theirs
        return Segment(number, mmap.mmap(-1, size), ours)

    def is_closed(self, number: int) -> bool:
        """Whether the client has given up a segment."""
        self.ends[number].setblocking(False)
        try:
            return self.ends[number].recv(1) == b""
        except BlockingIOError:
            return False


@pytest.fixture
def maker() -> Iterator[Maker]:
    """What makes segments; its ends are closed after the test."""
    maker = Maker()
    yield maker
    for end in maker.ends.values():
        end.close()


def small(maker: Maker, most: int = 1 << 16, kept: int = 1 << 16) -> Pool:
    """A pool of segments of 8 KiB."""
    return Pool(maker, most=most, kept=kept, smallest=8192)


def test_blocks_are_apart(maker: Maker) -> None:
    """What is written to one block is not read in another, nor after a view was made of it."""
    pool = small(maker)
    arrays = []
    for number, nbytes in enumerate((1, 64, 65, 1000, 3000, 8192, 9000)):
        block = pool.take(nbytes)
        assert block is not None
        arrays.append(pool.lend(block))
        arrays[-1][:] = number
    assert [set(array.tolist()) for array in arrays] == [{number} for number in range(7)]
    assert pool.nbytes == 8192 + 8192 + 16384


def test_views_keep_a_block(maker: Maker) -> None:
    """A block comes back with the last view of it, of whatever kind."""
    pool = small(maker)
    block = pool.take(800)
    assert block is not None
    view = pool.lend(block).view(np.float64).reshape(10, 10)[2:4, 1].data
    gc.collect()
    assert pool.in_use == 832
    view[0] = 3.0
    assert np.asarray(view)[0] == 3.0
    del view
    gc.collect()
    assert pool.in_use == 0


def test_bounds(maker: Maker) -> None:
    """Beyond the bound there is nothing, until something comes back."""
    pool = small(maker, most=16384)
    first, second = pool.take(8192), pool.take(8192)
    assert first is not None
    assert second is not None
    assert pool.take(1) is None
    pool.give_back(first)
    assert pool.take(8192) is not None
    assert pool.nbytes == 16384


def test_what_is_too_large(maker: Maker) -> None:
    """What no segment may hold is refused without making one."""
    pool = small(maker, most=16384)
    assert pool.take(16385) is None
    assert maker.ends == {}
    assert pool.take(16384) is not None


def test_idle_segments_are_given_up(maker: Maker) -> None:
    """Segments without a block go when more is free than should be kept."""
    pool = small(maker, kept=10_000)
    blocks = [pool.take(8192) for _ in range(3)]
    for block in blocks:
        assert block is not None
        pool.give_back(block)
    assert pool.nbytes == 8192
    assert [maker.is_closed(number) for number in (1, 2, 3)].count(True) == 2


def test_lost_blocks(maker: Maker) -> None:
    """A segment that the server may still write to is not dealt out again, nor unmapped while in use."""
    pool = small(maker)
    first, second = pool.take(64), pool.take(64)
    assert first is not None
    assert second is not None
    array = pool.lend(second)
    pool.give_back(first, lost=True)
    assert maker.is_closed(1)
    third = pool.take(64)
    assert third is not None
    assert third.segment.number == 2
    array[:] = 5
    assert array.tolist() == [5] * 64
    del array
    gc.collect()
    assert pool.in_use == 64


def test_a_server_that_has_gone(maker: Maker) -> None:
    """A segment whose connection has ended is replaced."""
    pool = small(maker)
    first = pool.take(64)
    maker.ends[1].close()
    second = pool.take(64)
    assert first is not None
    assert second is not None
    assert (first.segment.number, second.segment.number) == (1, 2)


def test_close(maker: Maker) -> None:
    """A closed pool deals out nothing; what was dealt out stays as it is."""
    pool = small(maker)
    block = pool.take(64)
    assert block is not None
    array = pool.lend(block)
    array[:] = 7
    pool.close()
    assert maker.is_closed(1)
    assert pool.take(64) is None
    assert array.tolist() == [7] * 64


def test_failures_leave_the_pool_as_it_was() -> None:
    """Where a segment cannot be made the error says why, and the next attempt is as good as the first."""

    def refuse(size: int) -> Any:
        raise ConnectionRefusedError(size)

    pool = Pool(refuse, smallest=8192)
    for _ in range(2):
        with pytest.raises(ConnectionRefusedError):
            pool.take(64)
    assert pool.nbytes == 0


@given(st.lists(st.tuples(st.sampled_from(["take", "back", "lost"]), st.integers(1, 9000)), max_size=40))
def test_any_order(steps: list[tuple[str, int]]) -> None:
    """Whatever comes and goes: live blocks never overlap, bounds hold, and nothing stays in use."""
    maker, pool = _maker()
    live: list[Block] = []
    for what, number in steps:
        if what == "take":
            block = pool.take(number)
            live += [block] if block else []
        elif live:
            pool.give_back(live.pop(number % len(live)), lost=what == "lost")
        spans = sorted((block.segment.number, block.offset, block.offset + block.nbytes) for block in live)
        pairs = itertools.pairwise(spans)
        assert all(one[0] != other[0] or one[2] <= other[1] for one, other in pairs)
        assert all(block.offset % 64 == 0 for block in live)
        assert pool.nbytes <= 1 << 15
    for block in live:
        pool.give_back(block)
    assert pool.in_use == 0
    pool.close()
    for end in maker.ends.values():
        end.close()


def test_threads(maker: Maker) -> None:
    """Threads that take and drop at the same time never get the same memory."""
    pool = small(maker)
    wrong: list[int] = []

    def work(mark: int) -> None:
        for size in range(1, 400):
            block = pool.take(size)
            if block is not None:
                array = pool.lend(block)
                array[:] = mark
                wrong.extend(array[array != mark].tolist())

    threads = [threading.Thread(target=work, args=(mark,)) for mark in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    gc.collect()
    assert (wrong, pool.in_use) == ([], 0)


FORK = """
import mmap, os, socket
from pullback._sharing.pool import Pool
from pullback._sharing.segments import Segment

ends = []
def make(size):
    ours, theirs = socket.socketpair()
    ends.append(theirs)
    return Segment(len(ends), mmap.mmap(-1, size), ours)

pool = Pool(make, smallest=8192)
block = pool.take(5000)
array = pool.lend(block)
array[:] = 1
kept = pool.lend(pool.take(100))[50:]
kept[:] = 3
child = os.fork()
if child == 0:
    assert array.sum() == 5000 and kept.sum() == 150
    array[:] = 2
    del kept
    assert pool.take(64).segment is not block.segment
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
assert array.sum() == 5000
assert pool.take(64).segment is not block.segment
print("good")
"""


def test_forks() -> None:
    """After a fork parent and child have arrays of their own, as of all other memory."""
    done = subprocess.run(
        [sys.executable, "-c", FORK], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr) == ("good\n", "")


def _maker() -> tuple[Maker, Pool]:
    maker = Maker()
    return maker, small(maker, most=1 << 15)
