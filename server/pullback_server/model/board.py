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
_BYTES: Final = (2 * _SLOTS + 1) * _FIELD_BYTES


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


class Board:
    """The page, as front and worker have it mapped. What is read may be nonsense once a worker is damaged.

    Args:
        descriptor: The open file behind it, from `open_board`.
    """

    def __init__(self, descriptor: int) -> None:
        memory = memoryview(mmap.mmap(descriptor, _BYTES))
        # Requests have numbers from 1 on; of one that is being prepared the negative stands here.
        self._ids = memory[: _SLOTS * _FIELD_BYTES].cast("q")
        self._since = memory[_SLOTS * _FIELD_BYTES : 2 * _SLOTS * _FIELD_BYTES].cast("d")
        self._beats = memory[2 * _SLOTS * _FIELD_BYTES :].cast("q")
        self._free = deque(range(_SLOTS - 1, -1, -1))

    @property
    def beats(self) -> int:
        """How often the worker's heart has beaten."""
        return self._beats[0]

    def beat(self) -> None:
        """Worker: counts one more."""
        self._beats[0] += 1

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
