"""Batches in pieces of one size, so that few executables serve all batches. Knows no JAX."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from pullback_server.compute.arrays import Array

_HOST_MIB: Final = 4
_HOST_POINTS: Final = 8
_HOST_ENOUGH_BYTES: Final = 1 << 19
_HOST_ENOUGH_POINTS: Final = 1 << 10
_LARGEST_POINTS: Final = 1 << 20
_MIB: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Tiling:
    """How large a tile may be, which is a power of two of points, and one at least.

    Attributes:
        moved_bytes: The most bytes of the inputs and results that move with a tile.
        points: The most points.
        few_points: So many points may move more than `moved_bytes`: below, calls would be too small.
        enough_bytes: A tile need not move more than this, if it has `enough_points`: smaller tiles leave less
            to be padded.
        enough_points: See `enough_bytes`.
        memory_bytes: The most bytes of everything that a tile needs on the device.
    """

    moved_bytes: int
    points: int = _LARGEST_POINTS
    few_points: int = 1
    enough_bytes: int = 1 << 62
    enough_points: int = 1
    memory_bytes: int = 1 << 28

    def largest(self, moved_bytes: int, working_bytes: int = 0) -> int:
        """The points of the largest tile.

        Args:
            moved_bytes: The bytes of one point's inputs and results.
            working_bytes: What one point needs beside these.
        """
        points = max(self.few_points, self.moved_bytes // max(moved_bytes, 1))
        enough = max(self.enough_points, self.enough_bytes // max(moved_bytes, 1))
        affordable = self.memory_bytes // max(moved_bytes + working_bytes, 1)
        return _power_of_two_below(min(self.points, points, enough, affordable))


def host_tiling() -> Tiling:
    """That of a CPU: what moves stays in the caches, and the memory of results is used again and again.

    500,000 gradients of Rosenbrock-8 in one tile of 64 MiB took twice as long as in tiles of 4 MiB, and
    256 Hessians of n = 200 half as long again as in tiles of 8 points. 10,000 gradients of Rosenbrock-8 took
    344 us where they were padded to one tile of 2 MiB, and take 130 us in tiles of 512 KiB.
    """
    return Tiling(
        _HOST_MIB * _MIB,
        few_points=_HOST_POINTS,
        enough_bytes=_HOST_ENOUGH_BYTES,
        enough_points=_HOST_ENOUGH_POINTS,
    )


def device_tiling(memory_bytes: int | None) -> Tiling:
    """That of an accelerator: large enough to fill it, small enough that tiles overlap.

    While one tile computes, the next one's inputs arrive and the last one's results leave.

    Args:
        memory_bytes: The device's memory; None where it does not say.
    """
    share = (memory_bytes or 1 << 33) // 16
    return Tiling(min(64 * _MIB, share), few_points=_HOST_POINTS, memory_bytes=share)


def bucket_of(points: int, tile: int, least: int = 1) -> int:
    """The number of points that each piece of a batch is padded to: a power of two, at most a tile.

    Args:
        points: The points of the batch, at least one.
        tile: The points of the largest tile, a power of two.
        least: What is asked for at least; padding is for the one who asks.
    """
    return min(tile, max(_power_of_two_above(points), least))


def starts(points: int, bucket: int) -> Iterator[int]:
    """Where the tiles of a batch begin.

    The last one reaches back into the one before it, if there is one: what is computed twice would have been
    padding, and needs no copy.

    Args:
        points: The points of the batch, as many as a tile has or more.
        bucket: The points of a tile.
    """
    for start in range(0, points, bucket):
        yield min(start, points - bucket)


def pad(batch: Array, start: int, points: int, bucket: int) -> Array:
    """Some points of a batch, padded to a bucket with the last of them.

    Never with zeros: a function need not have a value there, or may loop forever.

    Args:
        batch: The batch.
        start: Its first point.
        points: How many; at least one.
        bucket: How many there will be.
    """
    chosen = batch[start : start + points]
    if points == bucket:
        return chosen
    padded = np.empty((bucket, *batch.shape[1:]), batch.dtype)
    padded[:points] = chosen
    padded[points:] = chosen[-1]
    return padded


def _power_of_two_above(number: int) -> int:
    return 1 << (number - 1).bit_length()


def _power_of_two_below(number: int) -> int:
    return 1 << (max(number, 1).bit_length() - 1)
