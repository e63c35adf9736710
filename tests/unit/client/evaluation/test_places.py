"""Places on a stream: by number and by bytes."""

from __future__ import annotations

from pullback._evaluation.places import Places


def test_by_number() -> None:
    """No more than so many, and again when one has left."""
    places = Places(2)
    places.take(1)
    assert places.fit(1)
    places.take(1)
    assert not places.fit(0)
    places.leave(1)
    assert places.fit(1)


def test_by_bytes() -> None:
    """What fits; one alone always does."""
    places = Places(9, nbytes=10)
    assert places.fit(11)
    places.take(11)
    assert not places.fit(0)
    places.leave(11)
    places.take(4)
    assert places.fit(6)
    assert not places.fit(7)
