"""Which parts of a piece of memory are in use: first fit, with neighbours joined when they are given back."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort

from pullback.memory.handover import ALIGNMENT


class Blocks:
    """Deals out parts of a piece of memory; it knows their offsets alone. Not safe for threads.

    Args:
        size: The bytes of the memory.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._free = {0: size} if size else {}
        self._starts = list(self._free)
        self._used: dict[int, int] = {}

    @property
    def size(self) -> int:
        """The bytes of the memory."""
        return self._size

    @property
    def in_use(self) -> int:
        """How many bytes are dealt out."""
        return sum(self._used.values())

    def take(self, nbytes: int) -> int | None:
        """The offset of a part of so many bytes, a multiple of 64; None where there is no such part."""
        wanted = max(ALIGNMENT, aligned(nbytes))
        for start in self._starts:
            length = self._free[start]
            if length >= wanted:
                self._cut(start, length, wanted)
                self._used[start] = wanted
                return start
        return None

    def give_back(self, offset: int) -> None:
        """Takes back a part by its offset.

        Raises:
            KeyError: If no part in use begins there.
        """
        start, length = offset, self._used.pop(offset)
        index = bisect_left(self._starts, start)
        if index < len(self._starts) and self._starts[index] == start + length:
            length += self._free.pop(self._starts.pop(index))
        if index > 0:
            before = self._starts[index - 1]
            if before + self._free[before] == start:
                self._free[before] += length
                return
        insort(self._starts, start)
        self._free[start] = length

    def _cut(self, start: int, length: int, wanted: int) -> None:
        index = bisect_right(self._starts, start) - 1
        del self._free[start]
        if length == wanted:
            del self._starts[index]
        else:
            self._starts[index] = start + wanted
            self._free[start + wanted] = length - wanted


def aligned(nbytes: int) -> int:
    """The next multiple of the alignment."""
    return -(-nbytes // ALIGNMENT) * ALIGNMENT
