"""How the front's memory is kept between messages, with glibc on Linux; elsewhere nothing is done.

glibc's malloc maps every large block anew and unmaps it when it is freed, and gives the end of its heap
back as soon as a little is free there: the system clears each page again for every message. A message of
32 MB costs some 70 ms of CPU so, and half of that where freed blocks stay with the process and are used
again. They lie in one heap for all threads, since each further one would keep its own; small blocks come from
the threads' caches as ever.

What it costs: the resident memory does not fall after a peak, but stays at what was in hand together, which
the server's budget for that bounds.

`pullback.memory.allocation` tells how. Source: mallopt(3).
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
    return keep_freed_blocks(nbytes) and libc is not None and bool(libc.mallopt(_ARENA_MAX, 1))
