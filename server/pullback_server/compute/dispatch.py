"""Which thread does what: compiling must hold up nothing that is compiled already.

An evaluation may have to compile first. So the first of a kind (the same program, wants, types and number of
points) runs on the preparing threads, and those of its kind that come meanwhile wait without a thread. What
needs no compilation runs on the evaluating threads; or at once, where it came in, if it is known to be so
short that handing it over would take longer.

Where several tenants share the worker, what is handed over is what may hold up others. It makes way then: a
thread of a lower priority leaves the processors to whatever is short, in this process and in the front.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter
from typing import Final

from pullback_server.compute.niceness import step_back

Work = Callable[[], bool]
"""Does a piece of work, and says whether it succeeded."""

_EVALUATING_THREADS: Final = 8
_PREPARING_THREADS: Final = 8
_REMEMBERED_KINDS: Final = 8192
# A tenth of what others have that want the same processor.
_NICENESS: Final = 10
# What takes less than a hand-over runs at once, whatever waits; what takes longer only if nothing does.
_SHORT_SECONDS: Final = 150e-6
_SHORT_SECONDS_ALONE: Final = 1e-3


class Dispatcher:
    """Runs work on threads; work must not raise.

    Args:
        at_once: Runs what should be short on the thread that it came in on.
    """

    def __init__(self, at_once: Callable[[Callable[[], None]], None]) -> None:
        self._at_once = at_once
        self._evaluating = ThreadPoolExecutor(_EVALUATING_THREADS, "evaluate")
        self._preparing = ThreadPoolExecutor(_PREPARING_THREADS, "prepare")
        self._lock = threading.Lock()
        self._seconds: OrderedDict[Hashable, float] = OrderedDict()
        self._parked: dict[Hashable, list[Work]] = {}

    def make_way(self) -> None:
        """Has what comes from now on, and is not short, leave processors to others."""
        # Threads cannot be given their priority back, so these are new; the others end when they are idle.
        self._evaluating = ThreadPoolExecutor(_EVALUATING_THREADS, "evaluate", step_back, (_NICENESS,))

    def prepare(self, work: Work) -> None:
        """Runs what may take long and holds up no evaluation."""
        self._preparing.submit(work)

    def evaluate(self, kind: Hashable, work: Work, *, ready: bool, alone: bool) -> None:
        """Runs an evaluation.

        Args:
            kind: Equal for evaluations of which the second needs no compilation after the first.
            work: The evaluation.
            ready: Whether it needs no compilation.
            alone: Whether nothing else is known to wait.
        """
        if not ready:
            self._park(kind, work)
            return
        seconds = self._seconds.get(kind)
        if seconds is not None and seconds < (_SHORT_SECONDS_ALONE if alone else _SHORT_SECONDS):
            self._at_once(lambda: self._timed(kind, work))
        else:
            self._evaluating.submit(self._timed, kind, work)

    def _park(self, kind: Hashable, work: Work) -> None:
        with self._lock:
            if kind in self._parked:
                self._parked[kind].append(work)
            else:
                self._parked[kind] = []
                self._preparing.submit(self._first, kind, work)

    def _first(self, kind: Hashable, work: Work) -> None:
        succeeded = work()
        with self._lock:
            parked = self._parked.pop(kind)
        threads = self._evaluating if succeeded else self._preparing
        for waiting in parked:
            threads.submit(waiting)

    def _timed(self, kind: Hashable, work: Work) -> None:
        began = perf_counter()
        if work():
            seconds = perf_counter() - began
            with self._lock:
                self._seconds[kind] = seconds
                if len(self._seconds) > _REMEMBERED_KINDS:
                    self._seconds.popitem(last=False)
