"""What the workers have in hand, and whether they should have more. Without I/O."""

from __future__ import annotations

from typing import Final

TILE_SECONDS: Final = 4e-3
"""Where workers are shared, batches are cut into runs that take so long at most."""

# As many as a worker runs at a time.
_MANY: Final = 8
# What a shared worker has in hand takes so long at most, or is one run. Tiles take more than half of
# `TILE_SECONDS`, and two of them never run at a time: on a CPU each would slow down the other, and all else.
_AHEAD_SECONDS: Final = 1.5 * TILE_SECONDS
_BESIDE_SECONDS: Final = TILE_SECONDS / 2


class Hand:
    """Runs that were given to workers and have not ended.

    What a worker has in hand is out of reach: whoever comes then waits for it, whatever its claim. So where
    several share the workers, they have enough in hand to be busy, and not more.

    Attributes:
        runs: How many there are.
        seconds: What they take by prediction, each a tile at most: beside one that takes longer, since it
            cannot be cut, say, there is as much room for short ones.
        shared: Whether there are several tenants or priorities, so that it matters who goes first.
    """

    __slots__ = ("_ahead", "_many", "_workers", "runs", "seconds", "shared")

    def __init__(self) -> None:
        self.runs = 0
        self.seconds = 0.0
        self.shared = False
        self.resize(1)

    def resize(self, workers: int) -> None:
        """Takes note of how many workers are ready."""
        workers = max(workers, 1)
        self._workers = workers
        self._many = _MANY * workers
        self._ahead = _AHEAD_SECONDS * workers

    def free(self, seconds: float) -> bool:
        """Whether a run that takes so long may start."""
        if self.shared and (seconds > _BESIDE_SECONDS or self.seconds + seconds > self._ahead):
            return self.runs < self._workers
        return self.runs < self._many

    def take(self, seconds: float) -> None:
        """Counts a run."""
        self.runs += 1
        self.seconds += min(seconds, TILE_SECONDS)

    def leave(self, seconds: float) -> None:
        """Counts a run no more; `seconds` as it was taken."""
        self.runs -= 1
        self.seconds -= min(seconds, TILE_SECONDS)
