"""Which parts of a range of bytes are free: blocks taken by best fit, and joined again when they return.

Numbers only: knows no memory.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Mapping
from typing import Final

ALIGNMENT: Final = 64
"""Every block begins at a multiple of this, and takes a multiple: a cache line, and what XLA wants."""


class Blocks:
    """Gives out blocks of a range.

    Of the free pieces that are large enough the smallest is taken, and of equal ones the first, so that
    what was used before is used again.

    Args:
        nbytes: The length of the range; what is beyond a multiple of 64 is left out.
    """

    def __init__(self, nbytes: int) -> None:
        self._nbytes = nbytes - nbytes % ALIGNMENT
        self._taken: dict[int, int] = {}
        self._by_size: list[tuple[int, int]] = []
        self._lengths: dict[int, int] = {}
        self._begins: dict[int, int] = {}
        self._in_use = 0
        if self._nbytes:
            self._add(0, self._nbytes)

    @property
    def nbytes(self) -> int:
        """The length of the range."""
        return self._nbytes

    @property
    def in_use(self) -> int:
        """The bytes of all blocks that are taken, rounded up as they are."""
        return self._in_use

    @property
    def taken(self) -> Mapping[int, int]:
        """Where each block that is taken begins, and its length, rounded up."""
        return self._taken

    def take(self, nbytes: int) -> int | None:
        """Takes a block.

        Args:
            nbytes: How long it must be, from 1.

        Returns:
            Where it begins; None if no free piece is large enough.
        """
        length = -(-nbytes // ALIGNMENT) * ALIGNMENT
        found = bisect_left(self._by_size, (length, 0))
        if found == len(self._by_size):
            return None
        available, begin = self._by_size[found]
        self._remove(begin)
        if available > length:
            self._add(begin + length, available - length)
        self._taken[begin] = length
        self._in_use += length
        return begin

    def give_back(self, begin: int) -> tuple[int, int]:
        """Gives back the block that begins there.

        Returns:
            Where the free piece that it is now a part of begins, and where it ends.
        """
        length = self._taken.pop(begin)
        self._in_use -= length
        end = begin + length
        if end in self._lengths:
            end += self._remove(end)
        if begin in self._begins:
            before = self._begins[begin]
            self._remove(before)
            begin = before
        self._add(begin, end - begin)
        return begin, end

    def _add(self, begin: int, length: int) -> None:
        self._lengths[begin] = length
        self._begins[begin + length] = begin
        insort(self._by_size, (length, begin))

    def _remove(self, begin: int) -> int:
        length = self._lengths.pop(begin)
        del self._begins[begin + length]
        del self._by_size[bisect_left(self._by_size, (length, begin))]
        return length
