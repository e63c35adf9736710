"""How the front's memory is kept between messages, with glibc on Linux; elsewhere nothing is done.

glibc's malloc maps every large block anew and unmaps it when it is freed, and gives the end of its heap
back as soon as a little is free there: the system clears each page again for every message. A message of
32 MB costs some 70 ms of CPU so, and half of that where freed blocks stay with the process and are used
again. They lie in one heap for all threads, since each further one would keep its own; small blocks come from
the threads' caches as ever.

What it costs: the resident memory does not fall after a peak, but stays at what was in hand together, which
the server's budget for that bounds.

Source: mallopt(3). Before glibc 2.35 the threshold for mapping may be 32 MiB at most.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Final

_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3
_ARENA_MAX: Final = -8
_LARGEST: Final = (1 << 31) - 1
_LARGEST_OF_OLD: Final = 32 << 20


def keep_freed_memory(nbytes: int) -> bool:
    """Has malloc keep freed blocks for the next ones, up to so many bytes; says whether it does.

    To be called before there are threads.
    """
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "gnu_get_libc_version"):
        return False
    kept = min(nbytes, _LARGEST)
    mapped = libc.mallopt(_MMAP_THRESHOLD, kept) or libc.mallopt(_MMAP_THRESHOLD, _LARGEST_OF_OLD)
    return bool(mapped and libc.mallopt(_TRIM_THRESHOLD, kept) and libc.mallopt(_ARENA_MAX, 1))
