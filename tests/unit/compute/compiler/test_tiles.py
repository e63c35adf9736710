"""Tiles cover a batch, in few sizes, under both limits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pullback_server.compute.compiler.tiles import Tile, Tiling, pad


@given(st.integers(0, 3000), st.integers(0, 5000), st.integers(1, 900), st.integers(1, 100_000))
def test_tiles_cover_the_batch(points: int, per_point: int, most_points: int, most_bytes: int) -> None:
    """Without gap or overlap, each in its bucket, and under the limits where a point allows it."""
    tiles = list(Tiling(most_points, most_bytes).cut(points, per_point))
    assert [tile.start for tile in tiles] == [0, *(tile.stop for tile in tiles)][: len(tiles)]
    assert sum(tile.points for tile in tiles) == points
    for tile in tiles:
        assert 0 < tile.points <= tile.bucket < 2 * tile.points
        assert tile.bucket.bit_count() == 1
        assert tile.bucket <= most_points
        assert tile.bucket == 1 or tile.bucket * per_point <= most_bytes
    assert len({tile.bucket for tile in tiles}) <= 2


@pytest.mark.parametrize(
    ("points", "per_point", "buckets"),
    [
        (1, 8, [1]),
        (65_536, 8, [65_536]),
        (65_537, 8, [65_536, 1]),
        (3, 2**28, [1, 1, 1]),
        (3, 2**30, [1, 1, 1]),
    ],
)
def test_usual_limits(points: int, per_point: int, buckets: list[int]) -> None:
    """65,536 points or 256 MiB, whatever comes first; one point always runs."""
    assert [tile.bucket for tile in Tiling().cut(points, per_point)] == buckets


def test_padding_repeats_the_last_point() -> None:
    """Never zeros."""
    batch = np.arange(1, 11).reshape(5, 2)
    np.testing.assert_array_equal(pad(batch, Tile(2, 5, 4)), [[5, 6], [7, 8], [9, 10], [9, 10]])


def test_a_full_tile_is_not_copied() -> None:
    """A tile that fills its bucket is a view."""
    batch = np.arange(8.0)
    assert np.shares_memory(pad(batch, Tile(4, 8, 4)), batch)


def test_points_without_elements_are_padded() -> None:
    """A shape with a zero has points too."""
    assert pad(np.empty((3, 0)), Tile(0, 3, 4)).shape == (4, 0)
