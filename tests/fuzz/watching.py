"""Watches the front while it is fuzzed: it stays one process, is healthy, and does not grow."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Final

import grpc
import numpy as np
import psutil
from e2e.server.running import Running

_HEALTHY_SECONDS: Final = 5.0
_FLAT_BYTES: Final = 64 << 20
_FEWEST_SAMPLES: Final = 10


@dataclass
class Watch:
    """What was seen of a server's front.

    Attributes:
        server: The server.
        faults: What was wrong.
        sizes: Its resident memory in bytes, each time that it was looked at.
    """

    server: Running
    faults: list[str] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)

    def look(self) -> None:
        """Looks once: that it runs, that health answers soon, how large it is."""
        status = self.server.process.poll()
        if status is not None:
            self.faults.append(f"the front ended with status {status}")
            return
        self.sizes.append(psutil.Process(self.server.process.pid).memory_info().rss)
        began = time.monotonic()
        try:
            self.server.health()
        except grpc.RpcError as error:
            self.faults.append(f"health does not answer: {error.code().name}: {error.details()}")
        if time.monotonic() - began > _HEALTHY_SECONDS:
            self.faults.append(f"health took {time.monotonic() - began:.1f} s")

    @property
    def growth(self) -> float:
        """By how many bytes the memory grew over the last two thirds, by the line through its sizes."""
        settled = self.sizes[len(self.sizes) // 3 :]
        if len(settled) < _FEWEST_SAMPLES:
            return 0.0
        slope = np.polyfit(np.arange(len(settled)), settled, 1)[0]
        return float(slope * len(settled))

    def finish(self) -> None:
        """Adds what can be said at the end only."""
        if self.growth > _FLAT_BYTES:
            self.faults.append(f"the front grew by {self.growth / 2**20:.0f} MiB")
