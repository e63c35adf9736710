"""One real server for all tests of a session that only need a server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import pullback


@pytest.fixture(scope="session")
def client() -> Iterator[pullback.Client]:
    """A client of an embedded server."""
    with pullback.local("cpu:1") as client:
        yield client
