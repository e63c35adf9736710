"""How a process keeps the memory of large messages, with glibc on Linux; elsewhere nothing is done.

glibc's malloc maps every large block anew and unmaps it when it is freed, and gives the end of its heap
back as soon as a little is free there: the system clears each page again for every message. Where freed
blocks stay with the process and are used again, large messages take half the CPU.

It holds for the whole process, whatever else runs in it: its resident memory falls less after a peak. A
client does it with its first message above 128 KiB, from where on glibc maps; PULLBACK_MALLOC=default in its
environment leaves malloc as it is.

Source: mallopt(3). Before glibc 2.35 the threshold for mapping may be 32 MiB at most.
"""

from __future__ import annotations

import ctypes
import os
import sys
from functools import cache
from typing import Final

LARGE: Final = 1 << 17
"""The bytes of a message from which on it is worth it: where glibc begins to map blocks."""
_KEPT_BY_CLIENTS: Final = 256 << 20
_VARIABLE: Final = "PULLBACK_MALLOC"
_AS_IT_IS: Final = "default"
_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3
_LARGEST: Final = (1 << 31) - 1
_LARGEST_OF_OLD: Final = 32 << 20


def keep_freed_blocks(nbytes: int) -> bool:
    """Has malloc keep freed blocks for the next ones, up to so many bytes; says whether it does."""
    libc = glibc()
    if libc is None:
        return False
    kept = min(nbytes, _LARGEST)
    mapped = libc.mallopt(_MMAP_THRESHOLD, kept) or libc.mallopt(_MMAP_THRESHOLD, _LARGEST_OF_OLD)
    return bool(mapped and libc.mallopt(_TRIM_THRESHOLD, kept))


def glibc() -> ctypes.CDLL | None:
    """The C library, if it is glibc."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "gnu_get_libc_version") else None


@cache
def keep_blocks_of_messages() -> bool:
    """Has the process of a client keep freed blocks, unless its environment says not to; once."""
    return os.environ.get(_VARIABLE) != _AS_IT_IS and keep_freed_blocks(_KEPT_BY_CLIENTS)
