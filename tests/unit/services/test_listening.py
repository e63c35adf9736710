"""Listening: ports that are taken, and what connections have."""

from __future__ import annotations

import grpc
import pytest

from pullback_server.configuration.settings import Settings
from pullback_server.services.listening import ListenError, listen
from pullback_server.services.options import channel_options


@pytest.mark.parametrize("shared", [False, True])
async def test_a_port_is_shared_only_if_both_want_it(shared: bool) -> None:
    """By default gRPC would have the second server take connections of the first without a word."""
    first, second = (grpc.aio.server(options=channel_options(Settings(reuse_port=shared))) for _ in range(2))
    addresses = listen(first, ["127.0.0.1:0"], 0o600)
    try:
        if shared:
            assert listen(second, addresses, 0o600) == addresses
        else:
            with pytest.raises(ListenError, match=addresses[0]):
                listen(second, addresses, 0o600)
    finally:
        await first.stop(None)
        await second.stop(None)


def test_ages_of_connections() -> None:
    """In milliseconds; an hour where nothing is said, and no bound where 0 is."""
    assert dict(channel_options(Settings()))["grpc.max_connection_age_ms"] == 3_600_000
    usual = dict(channel_options(Settings(max_connection_age_seconds=0)))
    aged = dict(channel_options(Settings(max_connection_age_seconds=1.5, max_connection_age_grace_seconds=2)))
    assert not any("age_ms" in name for name in usual)
    new = {"grpc.max_connection_age_ms": 1500, "grpc.max_connection_age_grace_ms": 2000}
    assert aged == usual | new
