"""A loop that never stands still: where a step that should be short is not, another thread goes on.

How long a program runs may depend on its data, so that what was short a thousand times is long once.
Knows nothing of the steps.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

_LONG_SECONDS: Final = 0.01


class Relay:
    """Does one step after the other, on one thread at a time.

    Args:
        step: Does the next step; says whether there may be another.
    """

    def __init__(self, step: Callable[[], bool]) -> None:
        self._step = step
        self._lock = threading.Lock()
        self._turn = 0
        self._since: float | None = None
        self._watched = threading.Event()
        self._ended = threading.Event()
        self._error: BaseException | None = None

    def run(self) -> None:
        """Returns when a step says that it was the last, whatever others are still at.

        Raises:
            BaseException: What a step raises, which ends the loop as well.
        """
        threading.Thread(target=self._go_on, args=(self._turn,), name="relay", daemon=True).start()
        threading.Thread(target=self._watch, name="relay", daemon=True).start()
        self._ended.wait()
        if self._error is not None:
            raise self._error

    def brief(self, work: Callable[[], None]) -> None:
        """Within a step: does what should be short. If it is not, the next steps have another thread.

        Args:
            work: The last that the step does; must not raise.
        """
        turn = self._turn
        self._since = time.perf_counter()
        if not self._watched.is_set():
            self._watched.set()
        work()
        with self._lock:
            if self._turn == turn:
                self._since = None

    def _go_on(self, turn: int) -> None:
        try:
            while self._turn == turn:
                if not self._step():
                    self._ended.set()
                    return
        except BaseException as error:  # noqa: BLE001 -- raised again where the loop was started
            self._error = error
            self._ended.set()

    def _watch(self) -> None:
        while True:
            self._watched.wait()
            time.sleep(_LONG_SECONDS)
            turn = self._taken_over()
            if turn is not None:
                threading.Thread(target=self._watch, name="relay", daemon=True).start()
                self._go_on(turn)
                return

    def _taken_over(self) -> int | None:
        """Takes the turn if what should be short is not; gives its number then."""
        with self._lock:
            if self._since is None:
                self._watched.clear()
                return None
            if time.perf_counter() - self._since < _LONG_SECONDS:
                return None
            self._since = None
            self._turn += 1
            return self._turn
