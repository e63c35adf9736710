"""An engine, and a batcher on it."""

from __future__ import annotations

import pytest
from squaring import SquaringEngine

from pullback_server.scheduling.batcher import Batcher
from pullback_server.scheduling.lane import Joining


@pytest.fixture
def engine() -> SquaringEngine:
    """An engine on which nothing is warm."""
    return SquaringEngine()


@pytest.fixture
def batcher(engine: SquaringEngine) -> Batcher:
    """A batcher that joins up to 64 points."""
    return Batcher(engine, Joining(64, 1 << 20))
