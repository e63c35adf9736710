"""Tiles are powers of two under their limits; batches are padded to few buckets."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pullback_server.compute.compiler.tiles import (
    Tiling,
    bucket_of,
    device_tiling,
    host_tiling,
    pad,
    starts,
)


@given(
    st.integers(0, 5000),
    st.integers(0, 5000),
    st.integers(1, 900),
    st.integers(1, 100_000),
    st.integers(1, 16),
)
def test_the_largest_tile_keeps_its_limits(
    moved: int, working: int, points: int, most_moved: int, few: int
) -> None:
    """It is a power of two, and twice as many points would break a limit, unless they are few."""
    tiling = Tiling(most_moved, points, few, memory_bytes=200_000)
    tile = tiling.largest(moved, working)
    assert tile.bit_count() == 1

    def fits(count: int) -> bool:
        cheap = count <= few or count * max(moved, 1) <= most_moved
        return cheap and count <= points and count * (moved + working) <= 200_000

    assert tile == 1 or fits(tile)
    assert not fits(2 * tile)


@pytest.mark.parametrize(
    ("moved", "working", "tile"),
    [
        (128, 0, 4096),
        (1024, 0, 1024),
        (16_384, 0, 256),
        (8, 0, 65_536),
        (0, 0, 2**19),
        (320_000, 0, 8),
        (2**23, 0, 8),
        (2**27, 0, 2),
        (8, 2**29, 1),
    ],
)
def test_the_tiles_of_a_cpu(moved: int, working: int, tile: int) -> None:
    """512 KiB move with a tile, or 1,024 points and up to 4 MiB, or 8 points; it takes 256 MiB at most."""
    assert host_tiling().largest(moved, working) == tile


@pytest.mark.parametrize(("memory", "tile"), [(80 * 2**30, 8192), (2**29, 4096), (None, 8192)])
def test_the_tiles_of_a_device_follow_from_its_memory(memory: int | None, tile: int) -> None:
    """64 MiB move with a tile, or a sixteenth of the device's memory."""
    assert device_tiling(memory).largest(8192) == tile


@given(st.integers(1, 5000), st.integers(0, 12), st.integers(1, 5000))
def test_buckets_hold_their_points_or_fill_a_tile(points: int, power: int, least: int) -> None:
    """A bucket is less than twice its points, unless more was asked for, and never more than a tile."""
    tile = 2**power
    bucket = bucket_of(points, tile, least)
    assert min(points, tile) <= bucket <= tile
    assert bucket < 2 * points or bucket <= least


@given(st.integers(1, 300), st.integers(0, 300))
def test_tiles_cover_a_batch_without_padding(bucket: int, more: int) -> None:
    """They lie inside it, one after the other, and the last one alone reaches back."""
    points = bucket + more
    begins = list(starts(points, bucket))
    assert begins[:-1] == list(range(0, points - bucket, bucket))
    assert begins[-1] == points - bucket


def test_padding_repeats_the_last_point() -> None:
    """Never zeros."""
    batch = np.arange(1, 11).reshape(5, 2)
    np.testing.assert_array_equal(pad(batch, 2, 3, 4), [[5, 6], [7, 8], [9, 10], [9, 10]])


def test_a_full_tile_is_not_copied() -> None:
    """A tile that fills its bucket is a view."""
    batch = np.arange(8.0)
    assert np.shares_memory(pad(batch, 4, 4, 4), batch)


def test_points_without_elements_are_padded() -> None:
    """A shape with a zero has points too."""
    assert pad(np.empty((3, 0)), 0, 3, 4).shape == (4, 0)
