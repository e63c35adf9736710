"""Which thread does what: compiling must hold up nothing that is compiled already.

An evaluation may have to compile first. So the first of a kind (the same program, wants and types)
runs on the preparing threads, and those of its kind that come meanwhile wait without a thread. Once one
has succeeded, its kind runs on the evaluating threads.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

Work = Callable[[], bool]
"""Does a piece of work, and says whether it succeeded."""

_EVALUATING_THREADS: Final = 8
_PREPARING_THREADS: Final = 8
_REMEMBERED_KINDS: Final = 8192


class Dispatcher:
    """Runs work on threads; work must not raise."""

    def __init__(self) -> None:
        self._evaluating = ThreadPoolExecutor(_EVALUATING_THREADS, "evaluate")
        self._preparing = ThreadPoolExecutor(_PREPARING_THREADS, "prepare")
        self._lock = threading.Lock()
        self._known: OrderedDict[Hashable, None] = OrderedDict()
        self._parked: dict[Hashable, list[Work]] = {}

    def prepare(self, work: Work) -> None:
        """Runs what may take long and holds up no evaluation."""
        self._preparing.submit(work)

    def evaluate(self, kind: Hashable, work: Work) -> None:
        """Runs an evaluation.

        Args:
            kind: Equal for evaluations of which the second needs no compilation after the first.
            work: The evaluation.
        """
        with self._lock:
            if kind in self._known:
                self._known.move_to_end(kind)
                self._evaluating.submit(work)
            elif kind in self._parked:
                self._parked[kind].append(work)
            else:
                self._parked[kind] = []
                self._preparing.submit(self._first, kind, work)

    def _first(self, kind: Hashable, work: Work) -> None:
        succeeded = work()
        with self._lock:
            parked = self._parked.pop(kind)
            if succeeded:
                self._remember(kind)
            threads = self._evaluating if succeeded else self._preparing
            for waiting in parked:
                threads.submit(waiting)

    def _remember(self, kind: Hashable) -> None:
        self._known[kind] = None
        if len(self._known) > _REMEMBERED_KINDS:
            self._known.popitem(last=False)
