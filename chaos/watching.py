"""Looks at the server once a second: memory, descriptors, health."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import psutil

from chaos.serving import Server

_EVERY_SECONDS: Final = 1.0
_WARM_SECONDS: Final = 20.0
_FEWEST: Final = 20
_FLAT_MIB: Final = 48.0
_ALL_FLAT_MIB: Final = 192.0
_HEALTHY_SECONDS: Final = 5.0
_MIB: Final = 2**20


class Watch(threading.Thread):
    """Samples until it is stopped.

    Args:
        server: The server.
    """

    def __init__(self, server: Server) -> None:
        super().__init__(daemon=True)
        self.faults: list[str] = []
        self.fronts: dict[int, list[tuple[float, float]]] = defaultdict(list)
        self.workers: dict[int, list[tuple[float, float]]] = defaultdict(list)
        self.all: list[float] = []
        self.open: list[int] = []
        self.health: list[float] = []
        self._server = server
        self._ended = threading.Event()

    def run(self) -> None:
        """Samples."""
        while not self._ended.wait(_EVERY_SECONDS):
            if not self._server.restarting:
                self._look()

    def stop(self) -> None:
        """Ends the sampling."""
        self._ended.set()
        self.join()

    def _look(self) -> None:
        now, pid = time.monotonic(), self._server.pid
        try:
            self.fronts[pid].append((now, psutil.Process(pid).memory_info().rss / _MIB))
            self.open.append(len(descriptors(pid)))
            workers = self._server.workers()
            for worker in workers:
                self.workers[worker.pid].append((now, worker.memory_info().rss / _MIB))
            processes = [psutil.Process(pid), *workers]
            self.all.append(sum(each.memory_full_info().pss for each in processes) / _MIB)
        except psutil.Error:
            if not self._server.lives() and not self._server.restarting:
                self.faults.append(f"the front is gone:\n{self._server.log_end()}")
                self._ended.set()
        began = time.monotonic()
        self._server.serves()
        took = time.monotonic() - began
        if not self._server.restarting:
            self.health.append(took)
            if took > _HEALTHY_SECONDS:
                self.faults.append(f"health took {took:.1f} s")

    def growth(self) -> float:
        """By how many MiB the longest-lived front grew over the last two thirds of its life."""
        longest = max(self.fronts.values(), key=len, default=[])
        settled = [each for each in longest if each[0] > longest[0][0] + _WARM_SECONDS]
        settled = settled[len(settled) // 3 :]
        if len(settled) < _FEWEST:
            return 0.0
        times, sizes = np.array(settled).T
        return float(np.polyfit(times, sizes, 1)[0] * (times[-1] - times[0]))

    def growth_of_all(self) -> float:
        """By how many MiB all processes of the server together grew from the second fifth to the last."""
        fifth = len(self.all) // 5
        if fifth < _FEWEST:
            return 0.0
        return float(np.median(self.all[-fifth:]) - np.median(self.all[fifth : 2 * fifth]))

    def verdict(self) -> list[str]:
        """What is wrong with the memory."""
        grown = (("the front", self.growth(), _FLAT_MIB), ("the server", self.growth_of_all(), _ALL_FLAT_MIB))
        return [f"{what} grew by {growth:.0f} MiB" for what, growth, bound in grown if growth > bound]

    def lines(self) -> list[str]:
        """What was seen."""
        fronts = [size for life in self.fronts.values() for _, size in life]
        workers = [size for life in self.workers.values() for _, size in life]
        milliseconds = [1000 * seconds for seconds in self.health]
        return [
            f"MiB of the front: {_told(fronts)}; {len(self.fronts)} lives, {self.growth():+.1f} in one",
            f"MiB of a worker: {_told(workers)}; {len(self.workers)} lives",
            f"MiB of front and workers: {_told(self.all)}; {self.growth_of_all():+.1f} from early to late",
            f"descriptors of the front: {_told(self.open)}",
            f"milliseconds to connect and ask for health: {_told(milliseconds)}",
        ]


def _told(numbers: Sequence[float]) -> str:
    if not numbers:
        return "not seen"
    return f"{np.median(numbers):.0f} by the median, {max(numbers):.0f} at most, {numbers[-1]:.0f} at last"


def descriptors(pid: int) -> list[str]:
    """What a process has open."""
    opened = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            opened.append(str(link.readlink()))
        except OSError:  # it was closed meanwhile
            continue
    return opened
