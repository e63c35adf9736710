"""A page of memory on which a worker notes what its threads are at, for the front to read at any time.

It needs nobody's attention: the front reads it while the worker computes, hangs or is stopped, and after the
worker has died, when it tells what ran and what merely waited.
"""

from __future__ import annotations

import mmap
import os
import tempfile
import time
from collections import deque
from typing import Final, NamedTuple

_SLOTS: Final = 512
_UNSEEN: Final = -1
_FIELD_BYTES: Final = 8
_NUMBERS: Final = 4
_BYTES: Final = (2 * _SLOTS + _NUMBERS) * _FIELD_BYTES


class Work(NamedTuple):
    """What one thread is at.

    Attributes:
        id: The number of the request.
        since: When the thread began with it, on the clock of `time.monotonic`.
        preparing: Whether it reads, traces or compiles; else it runs on the device.
    """

    id: int
    since: float
    preparing: bool


class Occupancy(NamedTuple):
    """How much of its device's memory a worker has.

    Attributes:
        in_use: Bytes in use.
        peak: The most bytes that ever were.
        limit: Bytes that it may use; 0 where that is not known.
    """

    in_use: int
    peak: int
    limit: int


class Board:
    """The page, as front and worker have it mapped. What is read may be nonsense once a worker is damaged.

    Args:
        descriptor: The open file behind it, from `open_board`.
    """

    def __init__(self, descriptor: int) -> None:
        self._page = mmap.mmap(descriptor, _BYTES)
        self._lay_out(memoryview(self._page))
        self._free = deque(range(_SLOTS - 1, -1, -1))

    def _lay_out(self, memory: memoryview) -> None:
        # Requests have numbers from 1 on; of one that is being prepared the negative stands here.
        self._ids = memory[: _SLOTS * _FIELD_BYTES].cast("q")
        self._since = memory[_SLOTS * _FIELD_BYTES : 2 * _SLOTS * _FIELD_BYTES].cast("d")
        # The beats, and then what is in use of the device's memory.
        self._numbers = memory[2 * _SLOTS * _FIELD_BYTES :].cast("q")

    def close(self) -> None:
        """Front: lets go of the page, for the worker has ended; what stands there last can still be read."""
        if not self._page.closed:
            last = self._page[:]
            for view in (self._ids, self._since, self._numbers):
                view.release()
            self._lay_out(memoryview(last))
            self._page.close()

    @property
    def beats(self) -> int:
        """How often the worker's heart has beaten."""
        return self._numbers[0]

    def beat(self) -> None:
        """Worker: counts one more."""
        self._numbers[0] += 1

    @property
    def occupancy(self) -> Occupancy | None:
        """How much of the device's memory is in use, of late; None where that is not known."""
        occupancy = Occupancy(*self._numbers[1:_NUMBERS])
        return occupancy if any(occupancy) else None

    def note(self, occupancy: Occupancy) -> None:
        """Worker: says how much of the device's memory is in use."""
        self._numbers[1], self._numbers[2], self._numbers[3] = occupancy

    def begin(self, id_: int, *, preparing: bool = False) -> int:
        """Worker: the calling thread begins with a request; gives its slot.

        If more threads work at once than there are slots, the others go unseen.
        """
        try:
            slot = self._free.pop()
        except IndexError:
            return _UNSEEN
        self._since[slot] = time.monotonic()
        self._ids[slot] = -id_ if preparing else id_
        return slot

    def prepared(self, slot: int) -> None:
        """Worker: what was being prepared runs from now on."""
        if slot == _UNSEEN:
            return
        self._since[slot] = time.monotonic()
        self._ids[slot] = abs(self._ids[slot])

    def end(self, slot: int) -> None:
        """Worker: the request is done."""
        if slot == _UNSEEN:
            return
        self._ids[slot] = 0
        self._free.append(slot)

    def works(self) -> list[Work]:
        """Front: what is being worked at."""
        return [Work(abs(id_), self._since[slot], id_ < 0) for slot, id_ in enumerate(self._ids) if id_]


def open_board() -> int:
    """An open file of zeros for a board, without a name."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("pullback-board", os.MFD_CLOEXEC)
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, _BYTES)
    return descriptor
