"""Histograms that are cheap to add to: one thread adds, and whoever reads may be a moment behind."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from typing import Final, Self

SECONDS: Final = (
    *(2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
)
"""Bounds for times: from a run of a small function to the compilation of a large one."""
_POWERS: Final = 20
POINTS: Final = tuple(float(1 << power) for power in range(_POWERS + 1))
"""Bounds for sizes of batches: a single point counts as one."""


class Histogram:
    """Counts of values by bounds, and their sum.

    Args:
        bounds: The upper bounds of all buckets but the last, ascending; a value on a bound is below it.
    """

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        """Counts a value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    @classmethod
    def of_sizes(cls, counts: Sequence[int], total: float) -> Self:
        """That of sizes of batches by the bounds `POINTS`.

        Args:
            counts: How many sizes there were above `2**(i - 1)` and up to `2**i`, for each i.
            total: Their sum.
        """
        histogram = cls(POINTS)
        histogram.counts = [*counts[: _POWERS + 1], sum(counts[_POWERS + 1 :])]
        histogram.total = total
        return histogram

    @property
    def count(self) -> int:
        """How many values were counted."""
        return sum(self.counts)

    def cumulative(self) -> list[tuple[str, float]]:
        """For each bound, the last of which is `+Inf`, how many values are not above it."""
        names = [*map(repr, self.bounds), "+Inf"]
        return list(zip(names, map(float, accumulate(self.counts)), strict=True))
