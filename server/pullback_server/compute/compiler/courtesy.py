"""Compiling politely: so that requests whose executables are there do not notice it.

Tracing and lowering are Python and hold its lock, so one thread does them at a time: more would not be
faster, and each of them would be one more to wait behind. XLA does not hold the lock, but takes processors;
it compiles on few threads of its own, which the system runs when others leave room.

What cannot be interrupted is short, or rare: the collection of garbage among what JAX keeps, and writing a
large executable to disk or reading it (0.1 s for 1.7 MB), during which XLA keeps Python's lock.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final

from jax.stages import Compiled, Lowered

from pullback_server.compute.niceness import step_back

_PATIENCE_SECONDS: Final = 2.0
_NICENESS: Final = 5
SWITCH_SECONDS: Final = 0.0005


class Courtesy:
    """Who may trace and compile when. Threads may use it at the same time.

    Args:
        compiling: How many programs XLA compiles at a time; half of the processors, and one at least, where
            left out.
    """

    def __init__(self, compiling: int | None = None) -> None:
        self._tracing = threading.Lock()
        self._count = compiling or max(1, (os.cpu_count() or 1) // 2)
        self._threads: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()

    @contextmanager
    def tracing(self) -> Iterator[None]:
        """Waits for its turn to trace or to lower, two seconds at most; not to be entered again inside."""
        ours = self._tracing.acquire(timeout=_PATIENCE_SECONDS)
        try:
            yield
        finally:
            if ours:
                self._tracing.release()

    def compile(self, lowered: Lowered) -> Compiled:
        """Has XLA compile, on one of the polite threads.

        Raises:
            Exception: What XLA raises.
        """
        with self._lock:
            self._threads = self._threads or ThreadPoolExecutor(
                self._count, "compile", step_back, (_NICENESS,)
            )
        return self._threads.submit(lowered.compile).result()


def settle_down() -> None:
    """Prepares a process that has imported what it needs for threads that must not wait for others.

    A thread that waits for Python's lock asks for it sooner than after the usual 5 ms, and what was imported
    is never looked at again in search of garbage, which took 50 to 130 ms each time.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.collect()
    gc.freeze()
