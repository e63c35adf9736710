"""Batches in pieces of few sizes, so that few executables serve all batches. Knows no JAX."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pullback_server.compute.arrays import Array


@dataclass(frozen=True, slots=True)
class Tile:
    """A piece of a batch.

    Attributes:
        start: Its first point.
        stop: The point after its last.
        bucket: The number of points that it is padded to, a power of two.
    """

    start: int
    stop: int
    bucket: int

    @property
    def points(self) -> int:
        """The number of points."""
        return self.stop - self.start


@dataclass(frozen=True, slots=True)
class Tiling:
    """How large a tile may be.

    Attributes:
        points: The most points.
        nbytes: The most bytes of its batched inputs and its outputs; a tile has a point at least.
    """

    points: int = 65_536
    nbytes: int = 256 * 2**20

    def cut(self, points: int, nbytes_per_point: int) -> Iterator[Tile]:
        """Cuts a batch into tiles, all of the largest size but the last.

        Args:
            points: The number of points.
            nbytes_per_point: The bytes of one point's inputs and outputs.
        """
        largest = _power_of_two_below(min(self.points, self.nbytes // max(nbytes_per_point, 1)))
        for start in range(0, points, largest):
            stop = min(start + largest, points)
            yield Tile(start, stop, _power_of_two_above(stop - start))


def pad(batch: Array, tile: Tile) -> Array:
    """The tile's points of a batch, padded to its bucket with the last point.

    Never with zeros: a function need not have a value there, or may loop forever.
    """
    points = batch[tile.start : tile.stop]
    if tile.points == tile.bucket:
        return points
    padded = np.empty((tile.bucket, *batch.shape[1:]), batch.dtype)
    padded[: tile.points] = points
    padded[tile.points :] = points[-1]
    return padded


def _power_of_two_above(number: int) -> int:
    return 1 << (number - 1).bit_length()


def _power_of_two_below(number: int) -> int:
    return 1 << (max(number, 1).bit_length() - 1)
