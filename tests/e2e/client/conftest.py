"""One embedded server for all tests of the client against a real server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import pullback


@pytest.fixture(scope="module")
def client() -> Iterator[pullback.Client]:
    """A client of an embedded server."""
    with pullback.local("cpu:1") as client:
        yield client
