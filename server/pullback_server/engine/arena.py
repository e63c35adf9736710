"""The arena: memory that the front and its workers share, in which tensors cross without a copy.

One file without a name, mapped whole by all and backed by memory only where it was written. The front
alone gives out its blocks. It has no name in /dev/shm and dies with its last process, so nothing is left
behind, whoever is killed.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import threading
import weakref
from collections import deque
from typing import Final, cast

import numpy as np

from pullback.memory.blocks import Blocks
from pullback_server.model.memory import Bytes, Place, Segment

NUMBER: Final = 0
"""The number of the arena's segment; those of clients have others."""

# Pages are counted and given back in groups, since a call for each would cost more than it gives.
_GROUP_BYTES: Final = 1 << 16


class Block:
    """A block of the arena, taken as long as this or a view of its memory lives.

    Attributes:
        place: Where it lies.
        memory: Its bytes, u8[place.nbytes]; whoever holds a view of them holds the block.
    """

    __slots__ = ("memory", "place")

    def __init__(self, place: Place, memory: Bytes) -> None:
        self.place = place
        self.memory = memory


class _Ending(weakref.ref[Bytes]):
    """Tells when the memory of a block has gone; lighter than `weakref.finalize`, which takes 5 microseconds.

    Attributes:
        offset: Where the block begins.
    """

    __slots__ = ("offset",)

    offset: int


class Arena:
    """Gives out blocks of shared memory. Blocks may be dropped by any thread, and are taken by one.

    Args:
        nbytes: The most bytes of all blocks together; rounded up to whole groups of pages.
        kept: How many bytes of free blocks stay backed by memory, so that the next ones are fast.

    Raises:
        OSError: If this system has no such memory.
    """

    def __init__(self, nbytes: int, kept: int) -> None:
        size = max(1, -(-nbytes // _GROUP_BYTES)) * _GROUP_BYTES
        descriptor = _anonymous_file(size)
        self._map = mmap.mmap(descriptor, size)
        self._segment = Segment(NUMBER, descriptor, np.frombuffer(self._map, np.uint8))
        self._closing = weakref.finalize(self, os.close, descriptor)
        self._blocks = Blocks(size)
        self._kept = kept
        self._backed = bytearray(size // _GROUP_BYTES)
        self._groups = 0
        self._endings: dict[int, _Ending] = {}
        self._dropped: deque[int] = deque()
        self._lock = threading.Lock()
        self._peak = 0

    @property
    def segment(self) -> Segment:
        """The whole of it."""
        return self._segment

    @property
    def in_use(self) -> int:
        """The bytes of all blocks that live."""
        return self._blocks.in_use

    @property
    def peak(self) -> int:
        """The most bytes that were ever in use at once."""
        return self._peak

    @property
    def backed(self) -> int:
        """The bytes of memory behind it, at most: blocks that live, and free ones that are kept."""
        return self._groups * _GROUP_BYTES

    def take(self, nbytes: int) -> Block | None:
        """Takes a block of `nbytes`, from 1; None if there is no room for it."""
        with self._lock:
            offset = self._blocks.take(nbytes)
            if offset is not None:
                self._back(offset // _GROUP_BYTES, -(-(offset + nbytes) // _GROUP_BYTES))
                self._peak = max(self._peak, self._blocks.in_use)
        self._collect()
        if offset is None:
            return None
        # Its base is the map and not an array, so that numpy leaves views of it their way to it.
        memory: Bytes = np.frombuffer(self._map, np.uint8, nbytes, offset)
        ending = self._endings[offset] = _Ending(memory, self._drop)
        ending.offset = offset
        return Block(Place(self._segment, offset, nbytes), memory)

    def _drop(self, ending: weakref.ref[Bytes]) -> None:
        self._dropped.append(cast("_Ending", ending).offset)
        self._collect()

    def _collect(self) -> None:
        """Takes back what was dropped, or leaves it to the one who holds the lock.

        That may be this very thread: memory is collected at any time, also while a block is taken.
        """
        while self._dropped and self._lock.acquire(blocking=False):
            try:
                offset = self._dropped.popleft()
                del self._endings[offset]
                self._release(*self._blocks.give_back(offset))
            finally:
                self._lock.release()

    def _back(self, first: int, last: int) -> None:
        self._groups += last - first - self._backed.count(1, first, last)
        self._backed[first:last] = b"\x01" * (last - first)

    def _release(self, begin: int, end: int) -> None:
        """Gives the pages of a free piece back to the system, where more would be kept than should."""
        first, last = -(-begin // _GROUP_BYTES), end // _GROUP_BYTES
        if first >= last or self.backed - self._blocks.in_use <= self._kept:
            return
        backed = self._backed.count(1, first, last)
        if backed:
            self._map.madvise(mmap.MADV_REMOVE, first * _GROUP_BYTES, (last - first) * _GROUP_BYTES)
            self._backed[first:last] = bytes(last - first)
            self._groups -= backed


def open_arena(nbytes: int, kept: int) -> Arena | None:
    """An arena; None where it is not wanted (0 bytes), or where the system has none: macOS, Windows."""
    if nbytes == 0 or not hasattr(os, "memfd_create"):
        return None
    return Arena(nbytes, kept)


def _anonymous_file(size: int) -> int:
    """A file of zeros without a name, which nobody can make shorter."""
    descriptor = os.memfd_create("pullback", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(descriptor, size)
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
    return descriptor
