"""What a worker did over all lives of its process, for those who watch a server."""

from __future__ import annotations

from typing import Final

from pullback_server.engine.deaths import Death
from pullback_server.errors import Reason
from pullback_server.model.messages import Ran
from pullback_server.telemetry.histograms import SECONDS, Histogram

_SIZES: Final = 64


class WorkerFigures:
    """Sums of what a worker answered.

    Args:
        name: Which worker it is, such as `cuda:0`.

    Attributes:
        name: Which worker it is.
        runs: How many runs.
        busy_seconds: How long they were on the device.
        points: How many points ran, padding included.
        compiling: What compiling took.
        deaths: How often its process died, by cause.
        last_death: How it died the last time.
    """

    __slots__ = ("_sizes", "busy_seconds", "compiling", "deaths", "last_death", "name", "points", "runs")

    def __init__(self, name: str = "") -> None:
        self.name = name
        self.runs = 0
        self.busy_seconds = 0.0
        self.points = 0
        self.compiling = Histogram(SECONDS)
        self.deaths: dict[str, int] = {}
        self.last_death = ""
        self._sizes = [0] * _SIZES

    def ran(self, message: Ran) -> None:
        """Counts a run."""
        self.runs += 1
        self.busy_seconds += message.execute
        points = message.batch or 1
        self.points += points
        self._sizes[(points - 1).bit_length()] += 1
        if message.compile:
            self.compiling.add(message.compile)

    def died(self, death: Death) -> None:
        """Counts a death."""
        cause = _cause(death)
        self.deaths[cause] = self.deaths.get(cause, 0) + 1
        self.last_death = death.how

    @property
    def sizes(self) -> Histogram:
        """How many points ran at a time."""
        return Histogram.of_sizes(self._sizes, self.points)


def _cause(death: Death) -> str:
    """The cause of a death, in one of few words."""
    if death.reason is not Reason.WORKER_DIED:
        return death.reason.value.lower()
    return "crashed" if death.blamable else "killed"
