"""How the twins configure their channels, and when a call that failed is tried again; without I/O."""

from __future__ import annotations

import json
import time
from typing import Final

from pullback.errors import OverloadedError, PullbackError
from pullback.memory.allocation import LARGE, keep_blocks_of_messages

DEFAULT_TIMEOUT: Final = 300.0
# An embedded server starts JAX, and with it perhaps a GPU's driver.
STARTUP_TIMEOUT: Final = 180.0
POLL_INTERVAL: Final = 0.05
_ATTEMPTS: Final = 4
_UNLIMITED: Final = -1
_LARGEST_INT: Final = 2**31 - 1
_ANNOUNCEMENT: Final = "pullback-request-bytes"
_ANNOUNCED: Final = 1 << 20
_LONGEST_RECONNECT_PAUSE: Final = 2_000

# Every call of this API can be repeated: evaluation is pure, and registration goes by the content's digest.
# gRPC itself retries what passes by itself; RESOURCE_EXHAUSTED is left to `pause_before_retry`, because
# only its reason tells an overloaded server from a request that is too large.
_SERVICE_CONFIG: Final = {
    "loadBalancingConfig": [{"round_robin": {}}],
    "methodConfig": [
        {
            "name": [{}],
            "retryPolicy": {
                "maxAttempts": _ATTEMPTS,
                "initialBackoff": "0.1s",
                "maxBackoff": "2s",
                "backoffMultiplier": 3,
                "retryableStatusCodes": ["UNAVAILABLE", "ABORTED"],
            },
        }
    ],
}

OPTIONS: Final[list[tuple[str, int | str]]] = [
    ("grpc.max_send_message_length", _UNLIMITED),
    ("grpc.max_receive_message_length", _UNLIMITED),
    ("grpc.service_config", json.dumps(_SERVICE_CONFIG)),
    # A call is retried only while gRPC still has its request; the default keeps 256 KiB.
    ("grpc.per_rpc_retry_buffer_size", _LARGEST_INT),
    # gRPC would wait up to two minutes before it looks again for a server that was started anew.
    ("grpc.max_reconnect_backoff_ms", _LONGEST_RECONNECT_PAUSE),
]


def announcement(request: object) -> tuple[tuple[str, str], ...] | None:
    """The metadata of a call that tells the server of a large request, which it reads when it has room.

    Args:
        request: The request; only one that is serialized already is ever large.
    """
    if not isinstance(request, bytes) or len(request) <= LARGE:
        return None
    keep_blocks_of_messages()
    if len(request) <= _ANNOUNCED:
        return None
    return ((_ANNOUNCEMENT, str(len(request))),)


class Deadline:
    """The moment at which a call with all its attempts must be over.

    Args:
        timeout: In seconds from now; None is never.
    """

    __slots__ = ("_end",)

    def __init__(self, timeout: float | None) -> None:
        self._end = None if timeout is None else time.monotonic() + timeout

    def remaining(self) -> float | None:
        """The seconds that are left, at least 0; None without an end."""
        return None if self._end is None else max(0.0, self._end - time.monotonic())


def pause_before_retry(error: PullbackError, attempt: int, remaining: float | None) -> float | None:
    """How many seconds to wait before trying a failed call again; None if it is not worth a try.

    Args:
        error: Why it failed.
        attempt: How often it was tried.
        remaining: The seconds until its deadline; None without one.
    """
    if not isinstance(error, OverloadedError) or error.retry_after is None or attempt >= _ATTEMPTS:
        return None
    in_time = remaining is None or error.retry_after < remaining
    return error.retry_after if in_time else None
