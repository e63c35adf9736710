"""Descriptors of memory that are closed at the end, where nobody else closed them."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator

import pytest
from sharing_memory import SEALS, Make, sealed


@pytest.fixture
def memfd() -> Iterator[Make]:
    """Makes memfds; `seals` and `flags` can be wrong."""
    made: list[tuple[int, int]] = []

    def make(size: int = 4096, seals: int = SEALS, flags: int = 0) -> int:
        descriptor = sealed(size, seals, flags)
        made.append((descriptor, os.fstat(descriptor).st_ino))
        return descriptor

    yield make
    gc.collect()
    for descriptor, inode in made:
        if _inode(descriptor) == inode:
            os.close(descriptor)


def _inode(descriptor: int) -> int | None:
    try:
        return os.fstat(descriptor).st_ino
    except OSError:
        return None
