"""How gRPC treats connections: sizes, pings, ages."""

from __future__ import annotations

from typing import Final

from pullback_server.configuration.settings import Settings

# A request has a little around its tensors, and a program around its modules.
_ENVELOPE_BYTES: Final = 1 << 20
# gRPC refuses without a reason that programs could read. It takes messages of twice the size, so that one
# that is too large is mostly refused by us; more is not worth the memory.
_TAKEN: Final = 2
_LARGEST_MESSAGE: Final = (1 << 31) - 1
# So many parts of the calls that may be open has one connection at most.
_CONNECTIONS_SHARE: Final = 8
# But so many at least: a client has calls that stay open, and calls it makes meanwhile.
_STREAMS_AT_LEAST: Final = 16
_KEEPALIVE_MILLISECONDS: Final = 60_000
_CLIENTS_MAY_PING_EVERY_MILLISECONDS: Final = 10_000
_PINGS_TOO_MANY: Final = 2
# Who connects and says nothing keeps a descriptor so long.
_HANDSHAKE_MILLISECONDS: Final = 20_000


def channel_options(settings: Settings) -> list[tuple[str, int]]:
    """The options of a server's connections."""
    largest = largest_message(settings)
    return [
        ("grpc.max_receive_message_length", min(_TAKEN * largest, _LARGEST_MESSAGE)),
        ("grpc.max_send_message_length", largest),
        # gRPC's default lets a second server take part of the connections without a word.
        ("grpc.so_reuseport", int(settings.reuse_port)),
        # One connection cannot have all calls; its client waits before it begins more.
        ("grpc.max_concurrent_streams", _streams(settings.max_concurrent_rpcs)),
        # It would open windows of many mebibytes to calls whose messages are not read yet.
        ("grpc.http2.bdp_probe", 0),
        ("grpc.keepalive_time_ms", _KEEPALIVE_MILLISECONDS),
        ("grpc.http2.min_ping_interval_without_data_ms", _CLIENTS_MAY_PING_EVERY_MILLISECONDS),
        ("grpc.http2.max_ping_strikes", _PINGS_TOO_MANY),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.server_handshake_timeout_ms", _HANDSHAKE_MILLISECONDS),
        *_ages(settings),
    ]


def largest_message(settings: Settings) -> int:
    """The bytes of the largest message: of the setting, and a mebibyte for what it has around its tensors.

    Uploads come in parts of a mebibyte, which a setting of a mebibyte must let in with what is around them.
    """
    return min(settings.max_message_bytes + _ENVELOPE_BYTES, _LARGEST_MESSAGE)


def _streams(calls: int) -> int:
    """The most calls of one connection, where so many may be open in all."""
    return max(calls // _CONNECTIONS_SHARE, min(calls, _STREAMS_AT_LEAST))


def _ages(settings: Settings) -> list[tuple[str, int]]:
    ages = {
        "grpc.max_connection_age_ms": settings.max_connection_age_seconds,
        "grpc.max_connection_age_grace_ms": settings.max_connection_age_grace_seconds,
    }
    return [(name, round(seconds * 1000)) for name, seconds in ages.items() if seconds]
