"""Buckets are powers of two, and what runs take is learnt."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pullback_server.scheduling.buckets import POINT, Costs, bucket_of


@settings(deadline=None)
@given(st.integers(1, 1 << 24))
def test_bucket(points: int) -> None:
    """The bucket is the smallest power of two that holds the points."""
    bucket = bucket_of(points)
    assert bucket.bit_count() == 1
    assert bucket // 2 < points <= bucket


def test_no_points() -> None:
    """A point alone has a bucket of its own, and no points need the smallest."""
    assert (bucket_of(None), bucket_of(0)) == (POINT, 1)


def test_unknown() -> None:
    """Nothing is guessed from nothing."""
    assert Costs().seconds(8) is None


def test_mean_follows() -> None:
    """The first run counts in full, later ones move the mean towards them."""
    costs = Costs()
    costs.learn(8, 1.0)
    assert costs.seconds(8) == 1.0
    costs.learn(8, 2.0)
    assert costs.seconds(8) == pytest.approx(1.2)


def test_guesses() -> None:
    """Between measured buckets on a line, above and below in proportion."""
    costs = Costs()
    costs.learn(64, 5.0)
    costs.learn(16, 2.0)
    assert costs.seconds(32) == pytest.approx(3.0)
    assert costs.seconds(256) == pytest.approx(20.0)
    assert costs.seconds(POINT) == pytest.approx(2.0 / 16)


def test_guess_from_a_point() -> None:
    """Before a batch was measured, it is hoped that one takes no longer than a point."""
    costs = Costs()
    costs.learn(POINT, 0.5)
    assert not costs.batches
    assert costs.seconds(8) == 0.5


def test_doubt() -> None:
    """A bucket that is passed over is believed to be faster every time, and an unknown one stays unknown."""
    costs = Costs()
    costs.learn(8, 1.0)
    costs.doubt(8)
    costs.doubt(16)
    assert 0.9 < (costs.seconds(8) or 0) < 1.0
