"""Histograms."""

from __future__ import annotations

import pytest

from pullback_server.telemetry.histograms import POINTS, SECONDS, Histogram


def test_values_fall_below_their_bounds() -> None:
    """A value on a bound counts below it, one above all bounds in the last bucket only."""
    histogram = Histogram((1.0, 2.5))
    for value in (0.0, 1.0, 1.5, 2.5, 9.0):
        histogram.add(value)
    assert histogram.cumulative() == [("1.0", 2.0), ("2.5", 4.0), ("+Inf", 5.0)]
    assert histogram.count == 5
    assert histogram.total == 14.0


def test_an_empty_one_has_zeros() -> None:
    """Before the first value all is zero."""
    assert {count for _, count in Histogram(SECONDS).cumulative()} == {0.0}


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 1 << 20, (1 << 20) + 1, 1 << 40])
def test_sizes_by_powers_of_two(size: int) -> None:
    """Counts by the length of a size's bits say the same as adding the size by bounds."""
    counts = [0] * 64
    counts[(size - 1).bit_length()] += 1
    added = Histogram(POINTS)
    added.add(size)
    assert Histogram.of_sizes(counts, size).cumulative() == added.cumulative()


def test_bounds_ascend() -> None:
    """Bounds are in order, as Prometheus requires."""
    for bounds in (SECONDS, POINTS):
        assert list(bounds) == sorted(set(bounds))
