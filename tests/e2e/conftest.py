"""Real servers: one for all tests of a session that only need a server, and one for a module with its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import pullback

_HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Has a module's tests run in one process, so that its server is started once."""
    for item in items:
        if item.path.is_relative_to(_HERE) and item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(str(item.path.relative_to(_HERE))))


@pytest.fixture(scope="session")
def client() -> Iterator[pullback.Client]:
    """A client of an embedded server."""
    with pullback.local("cpu:1") as client:
        yield client
