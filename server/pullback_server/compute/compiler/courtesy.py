"""Compiling politely: so that requests whose executables are there do not notice it.

Tracing and lowering are Python and hold its lock, so few threads do them at a time: more would not be faster,
and each of them would be one more to wait behind. XLA does not hold the lock, but takes processors; it
compiles on few threads of its own, which the system runs when others leave room.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Final

from jax.stages import Compiled, Lowered

_TRACING: Final = 2
_NICENESS: Final = 5
SWITCH_SECONDS: Final = 0.0005


class Courtesy:
    """Who may trace and compile when. Threads may use it at the same time.

    Args:
        compiling: How many programs XLA compiles at a time; half of the processors, and two at least, where
            left out.
    """

    def __init__(self, compiling: int | None = None) -> None:
        self._tracing = threading.BoundedSemaphore(_TRACING)
        self._count = compiling or max(2, (os.cpu_count() or 2) // 2)
        self._threads: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()

    @contextmanager
    def tracing(self) -> Iterator[None]:
        """Waits for its turn to trace or to lower; not to be entered again inside."""
        with self._tracing:
            yield

    def compile(self, lowered: Lowered) -> Compiled:
        """Has XLA compile, on one of the polite threads.

        Raises:
            Exception: What XLA raises.
        """
        with self._lock:
            self._threads = self._threads or ThreadPoolExecutor(self._count, "compile", _step_back)
        return self._threads.submit(lowered.compile).result()


def switch_often() -> None:
    """Has a thread that waits for Python's lock ask for it sooner than after the usual 5 ms."""
    sys.setswitchinterval(SWITCH_SECONDS)


def _step_back() -> None:
    """Gives the calling thread a lower priority, where the system knows priorities of threads (Linux)."""
    if sys.platform == "linux":
        with suppress(OSError):  # a container may forbid it
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
