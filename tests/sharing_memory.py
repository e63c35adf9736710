"""Memory to hand over, in good order and in bad, for tests of what takes it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
Make = Callable[..., int]


def open_descriptors() -> int:
    """How many descriptors this process has open, that of the listing included."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def mapped_memory() -> set[int]:
    """The memfds that this process has mapped, by inode."""
    lines = Path("/proc/self/maps").read_text(encoding="utf-8").splitlines()
    return {int(line.split()[4]) for line in lines if "/memfd:" in line}


def sealed(size: int, seals: int = SEALS, flags: int = 0) -> int:
    """The descriptor of a memfd, whose seals and flags can be wrong."""
    descriptor = os.memfd_create("test", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING | flags)
    os.ftruncate(descriptor, size)
    if seals:
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
    return descriptor
