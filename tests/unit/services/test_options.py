"""How gRPC treats connections."""

from __future__ import annotations

import pytest

from pullback_server.configuration.settings import Settings
from pullback_server.services.options import channel_options


@pytest.mark.parametrize(("calls", "streams"), [(1, 1), (12, 12), (64, 16), (200, 25), (8192, 1024)])
def test_calls_of_one_connection(calls: int, streams: int) -> None:
    """They are an eighth of all, but enough for a client that keeps some open."""
    options = dict(channel_options(Settings(max_concurrent_rpcs=calls)))
    assert options["grpc.max_concurrent_streams"] == streams


def test_ages() -> None:
    """Connections have an age, unless it is zero."""
    aged = dict(channel_options(Settings(max_connection_age_seconds=1.5)))
    assert aged["grpc.max_connection_age_ms"] == 1500
    assert "grpc.max_connection_age_ms" not in dict(channel_options(Settings(max_connection_age_seconds=0)))
