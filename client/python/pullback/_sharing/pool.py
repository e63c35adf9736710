"""Blocks of shared memory: dealt out, given back by whoever drops the last view of them, and bounded."""

from __future__ import annotations

import threading
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np

from pullback._sharing.forks import Forked, watch
from pullback._sharing.segments import Segment

Bytes = np.ndarray[Any, np.dtype[np.uint8]]

SEGMENT_BYTES: Final = 256 << 20
MOST_BYTES: Final = 2 << 30
KEPT_BYTES: Final = 512 << 20


class Block(NamedTuple):
    """A part of a segment that is in use.

    Attributes:
        segment: The segment.
        offset: Where it begins.
        nbytes: How many bytes were asked for.
    """

    segment: Segment
    offset: int
    nbytes: int

    def bytes(self) -> Bytes:
        """The memory, u8[nbytes]; it stays mapped as long as the array lives."""
        return np.frombuffer(self.segment.memory, np.uint8, self.nbytes, self.offset)


class Pool(Forked):
    """Deals out blocks of segments, and has more segments made where there is no room.

    Threads may call it at the same time, and blocks may be dropped by any thread at any moment.

    Args:
        make: Makes a segment of so many bytes.
        most: The most bytes of all segments.
        kept: The most bytes of segments without a block in use that are not given up.
        smallest: The bytes of a segment, at least.
    """

    def __init__(
        self,
        make: Callable[[int], Segment],
        most: int = MOST_BYTES,
        kept: int = KEPT_BYTES,
        smallest: int = SEGMENT_BYTES,
    ) -> None:
        self._make = make
        self._most = most
        self._kept = kept
        self._smallest = smallest
        self._segments: list[Segment] = []
        self._mapped: weakref.WeakSet[Segment] = weakref.WeakSet()
        self._dropped: deque[tuple[Block, bool]] = deque()
        self._lock = threading.Lock()
        self._closed = False
        watch(self)

    @property
    def nbytes(self) -> int:
        """The bytes of all segments."""
        return sum(len(segment.memory) for segment in self._segments)

    @property
    def in_use(self) -> int:
        """The bytes of all blocks in use."""
        return sum(segment.blocks.in_use for segment in self._segments)

    def take(self, nbytes: int) -> Block | None:
        """A block of so many bytes, from 1; None where there is no room for it.

        Raises:
            OSError: If a segment cannot be made.
            HandoverError: If the server refuses a segment.
        """
        with self._lock:
            block = None if self._closed else self._find(nbytes) or self._grow(nbytes)
        self._collect()
        return block

    def give_back(self, block: Block, *, lost: bool = False) -> None:
        """Takes a block back.

        Args:
            block: The block.
            lost: Whether somebody may still write to it, so that no more is dealt out of its segment.
        """
        self._dropped.append((block, lost))
        self._collect()

    def lend(self, block: Block) -> Bytes:
        """The memory of a block, which comes back when the array and all views of it are gone."""
        memory = block.bytes()
        weakref.finalize(memory, self.give_back, block).atexit = False
        return memory

    def close(self) -> None:
        """Has the server give up all segments; what is in use stays as it is."""
        with self._lock:
            self._closed = True
            for segment in tuple(self._segments):
                self._retire(segment)
        self._collect()

    def before_fork(self) -> None:
        """Holds still, and sees to it that the parent deals out no more of what the child is to copy."""
        self._lock.acquire()
        for segment in tuple(self._segments):
            if segment.blocks.in_use:
                self._retire(segment)

    def after_fork_in_parent(self) -> None:
        """Goes on."""
        self._lock.release()

    def after_fork_in_child(self) -> None:
        """Leaves the segments to the parent, and what is in use becomes a copy."""
        self._lock = threading.Lock()
        for segment in tuple(self._segments):
            self._retire(segment)
        for segment in tuple(self._mapped):
            segment.make_private()

    def _find(self, nbytes: int) -> Block | None:
        for segment in tuple(self._segments):
            if (offset := segment.blocks.take(nbytes)) is not None:
                if segment.known:
                    return Block(segment, offset, nbytes)
                self._retire(segment)
        return None

    def _grow(self, nbytes: int) -> Block | None:
        size = min(max(self._smallest, 1 << (nbytes - 1).bit_length()), self._most - self.nbytes)
        if size < nbytes:
            return None
        segment = self._make(size)
        self._segments.append(segment)
        self._mapped.add(segment)
        offset = segment.blocks.take(nbytes)
        return None if offset is None else Block(segment, offset, nbytes)

    def _collect(self) -> None:
        """Takes back what was dropped, or leaves it to the one who holds the lock.

        That may be this very thread: memory is collected at any time, also while a block is taken.
        """
        while self._dropped and self._lock.acquire(blocking=False):
            try:
                block, lost = self._dropped.popleft()
                self._free(block.segment, block.offset, lost=lost)
            finally:
                self._lock.release()

    def _free(self, segment: Segment, offset: int, *, lost: bool) -> None:
        segment.blocks.give_back(offset)
        idle = not segment.blocks.in_use and self.nbytes - self.in_use > self._kept
        if idle or lost:
            self._retire(segment)

    def _retire(self, segment: Segment) -> None:
        if segment in self._segments:
            self._segments.remove(segment)
            segment.take_back()
