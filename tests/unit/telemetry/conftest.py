"""Kinds of evaluations, and what watches them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pullback_server.model.evaluation import Kind
from pullback_server.model.quantities import Quantity, Want
from pullback_server.telemetry.watch import Watch, watch


@pytest.fixture
def watching(tmp_path: Path) -> Watch:
    """What watches: two tenants by name, the last three requests, and all that takes over a second."""
    return watch(tmp_path / "crashes", tenants=2, recorded=3, slow_seconds=1.0)


@pytest.fixture
def kind() -> Callable[..., Kind]:
    """Makes kinds that want quantities."""

    def kind(*quantities: Quantity) -> Kind:
        return Kind("digest", tuple(Want(each) for each in quantities), ())

    return kind
