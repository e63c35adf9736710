"""Memory that processes share: the front, its workers, and clients on the same machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Bytes = np.ndarray[Any, np.dtype[np.uint8]]


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """A piece of memory that several processes have mapped; compared by identity.

    Attributes:
        number: What it is called between front and workers.
        descriptor: The open file that it is, in this process.
        memory: The memory, u8[size], as this process has mapped it.
    """

    number: int
    descriptor: int
    memory: Bytes


@dataclass(frozen=True, slots=True)
class Place:
    """A part of a segment.

    Attributes:
        segment: The segment.
        offset: Where it begins, in bytes; a multiple of 64.
        nbytes: How many bytes it has.
    """

    segment: Segment
    offset: int
    nbytes: int

    @property
    def view(self) -> memoryview:
        """The bytes themselves, writable; the view keeps the segment mapped."""
        return self.segment.memory[self.offset : self.offset + self.nbytes].data

    def __len__(self) -> int:
        return self.nbytes
