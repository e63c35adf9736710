"""Modules run as a worker runs them: with 64-bit types."""

from __future__ import annotations

from collections.abc import Iterator

import jax
import pytest


@pytest.fixture(autouse=True, scope="module")
def _wide_types() -> Iterator[None]:
    """As in a worker, 64-bit types are on."""
    with jax.enable_x64(True):
        yield
