"""How the front's memory is kept between messages, with glibc on Linux; elsewhere nothing is done.

Blocks of large messages stay with the process (`pullback.memory.allocation` tells why), and lie in one heap
for all threads, since each further heap would keep its own; small blocks come from the threads' caches as
ever. A message of 32 MB in and out takes 32 ms of CPU so instead of 67, and no page is handed out for it.

What it costs: the resident memory does not fall after a peak, but stays at what was in hand together, which
the server's budget for that bounds.
"""

from __future__ import annotations

from typing import Final

from pullback.memory.allocation import glibc, keep_freed_blocks

_ARENA_MAX: Final = -8


def keep_freed_memory(nbytes: int) -> bool:
    """Has malloc keep freed blocks for the next ones, up to so many bytes; says whether it does.

    To be called before there are threads.
    """
    libc = glibc()
    return libc is not None and keep_freed_blocks(nbytes) and bool(libc.mallopt(_ARENA_MAX, 1))
