"""Buckets, the sizes that batches are padded to, and what a run of one takes. Without I/O.

Executables are made for powers of two, so that few of them serve all batches. A point that comes alone has
an executable of its own, which is called the bucket 0 here.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

POINT: Final = 0
"""The bucket of a single point, which is no batch."""

_WEIGHT: Final = 0.2
_DOUBT: Final = 0.98


def bucket_of(points: int | None) -> int:
    """The bucket of a batch: the next power of two; `POINT` for a single point."""
    if points is None:
        return POINT
    return 1 << (points - 1).bit_length() if points > 0 else 1


class Costs:
    """How long runs of one kind take on a device, learnt from those that were."""

    def __init__(self) -> None:
        self._means: dict[int, float] = {}
        self._measured: list[int] = []

    @property
    def batches(self) -> bool:
        """Whether a batch was measured."""
        return bool(self._measured) and self._measured[-1] != POINT

    def learn(self, bucket: int, seconds: float) -> None:
        """Adds what one run took; later runs count for more."""
        mean = self._means.get(bucket)
        if mean is None:
            self._measured.insert(bisect_left(self._measured, bucket), bucket)
            self._means[bucket] = seconds
        else:
            self._means[bucket] = mean + _WEIGHT * (seconds - mean)

    def doubt(self, bucket: int) -> None:
        """Lowers what a bucket that was passed over for its cost is believed to take.

        What was measured in a bad moment is thereby tried again some time later.
        """
        if bucket in self._means:
            self._means[bucket] *= _DOUBT

    def seconds(self, bucket: int) -> float | None:
        """What a run takes, in seconds: measured, or guessed from the buckets around; None where none ran.

        Between two that were measured it lies on the line through them; above and below them, twice the
        points take twice the time. Where only single points were measured, it is hoped that a batch takes
        no longer.
        """
        mean = self._means.get(bucket)
        if mean is not None or not self._measured:
            return mean
        above = bisect_left(self._measured, bucket)
        if 0 < above < len(self._measured):
            return self._between(bucket, self._measured[above - 1], self._measured[above])
        nearest = self._measured[0 if above == 0 else -1]
        if nearest == POINT:
            return self._means[POINT]
        return self._means[nearest] * max(bucket, 1) / max(nearest, 1)

    def _between(self, bucket: int, below: int, above: int) -> float:
        share = (bucket - below) / (above - below)
        return self._means[below] + share * (self._means[above] - self._means[below])
