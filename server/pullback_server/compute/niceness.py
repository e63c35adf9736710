"""Threads that leave processors to others."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress
from typing import Final

_LEAST: Final = 19


def step_back(levels: int) -> None:
    """Gives the calling thread a lower priority, where the system knows priorities of threads (Linux).

    Args:
        levels: How much nicer it is from now on; of a processor that is wanted by all, each level leaves it
            four fifths of what it had.
    """
    if sys.platform == "linux":
        with suppress(OSError):  # a container may forbid it
            thread = threading.get_native_id()
            niceness = os.getpriority(os.PRIO_PROCESS, thread) + levels
            os.setpriority(os.PRIO_PROCESS, thread, min(niceness, _LEAST))
