"""How the twins configure their channels, and when a call that failed is tried again; without I/O."""

from __future__ import annotations

import ipaddress
import json
import random
import time
from typing import Any, Final

from pullback.errors import DeadlineExceededError, OverloadedError, PullbackError, UnavailableError
from pullback.memory.allocation import LARGE, keep_blocks_of_messages

DEFAULT_TIMEOUT: Final = 300.0
# An embedded server starts JAX, and with it perhaps a GPU's driver.
STARTUP_TIMEOUT: Final = 180.0
POLL_INTERVAL: Final = 0.05
_ATTEMPTS: Final = 4
# A server that was there is waited for while it is started anew, which takes seconds, and with an accelerator
# perhaps half a minute.
_PATIENT_ATTEMPTS: Final = 40
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 2.0
_SPREAD: Final = 0.25
_UNLIMITED: Final = -1
_LARGEST_INT: Final = 2**31 - 1
_ANNOUNCEMENT: Final = "pullback-request-bytes"
_ANNOUNCED: Final = 1 << 20
_LONGEST_RECONNECT_PAUSE: Final = 2_000

# Every call of this API can be repeated: evaluation is pure, and registration goes by the content's digest.
# gRPC itself retries what passes by itself; RESOURCE_EXHAUSTED is left to `pause_before_retry`, because
# only its reason tells an overloaded server from a request that is too large.
_SERVICE_CONFIG: Final[dict[str, Any]] = {
    "loadBalancingConfig": [{"round_robin": {}}],
    # While most calls fail, tries of gRPC itself only add to the load; those of `pause_before_retry` wait.
    "retryThrottling": {"maxTokens": 100, "tokenRatio": 1},
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
        },
        # A stream knows itself what has no answer, and gRPC would keep all that was sent on it.
        {"name": [{"service": "pullback.v1.EvaluationService", "method": "EvaluateStream"}]},
    ],
}
# gRPC follows the health of each server on a stream beside the calls, and sends those that go to none or to
# one that stops to the others. With one server there is nowhere else to go, and it holds what it can.
_HEALTH_CHECK: Final = {"healthCheckConfig": {"serviceName": ""}}
_LOCAL_SCHEMES: Final = ("unix:", "unix-abstract:", "vsock:")
_LIST_SCHEMES: Final = ("ipv4:", "ipv6:")
# How gRPC words a connection that broke within a call, under codes that else are the server's own.
_BROKEN: Final = ("RST_STREAM", "(CANCELLED)")
# How gRPC says that the servers are there, and that each says NOT_SERVING.
_UNHEALTHY: Final = "backend unhealthy"

_OPTIONS: Final[list[tuple[str, int | str]]] = [
    ("grpc.max_send_message_length", _UNLIMITED),
    ("grpc.max_receive_message_length", _UNLIMITED),
    # A call is retried only while gRPC still has its request; the default keeps 256 KiB.
    ("grpc.per_rpc_retry_buffer_size", _LARGEST_INT),
    # gRPC would wait up to two minutes before it looks again for a server that was started anew.
    ("grpc.max_reconnect_backoff_ms", _LONGEST_RECONNECT_PAUSE),
]


def options(address: str) -> list[tuple[str, int | str]]:
    """How a channel to an address is configured."""
    config = _SERVICE_CONFIG | (_HEALTH_CHECK if may_be_several(address) else {})
    return [*_OPTIONS, ("grpc.service_config", json.dumps(config))]


def may_be_several(address: str) -> bool:
    """Whether an address may be that of several servers: a list of addresses, or a name."""
    if address.startswith(_LOCAL_SCHEMES):
        return False
    if address.startswith(_LIST_SCHEMES):
        return "," in address
    host = address.rpartition("/")[2].rpartition(":")[0].strip("[]") or address
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host != "localhost"
    return False


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


def pause_before_retry(
    error: PullbackError, attempt: int, remaining: float | None, *, served: bool = False
) -> float | None:
    """How many seconds to wait before trying a failed call again; None if it is not worth a try.

    Args:
        error: Why it failed.
        attempt: How often it was tried.
        remaining: The seconds until its deadline; None without one.
        served: Whether the server has answered before, so that it may come back.
    """
    pause = _pause(error, attempt, served)
    in_time = pause is not None and (remaining is None or pause < remaining)
    return pause if in_time else None


def more_telling(error: PullbackError, before: PullbackError | None) -> PullbackError:
    """What a call failed with, given what its attempts before failed with, if any.

    A deadline that passes while the server is away tells less than why it is away.
    """
    in_vain = isinstance(error, DeadlineExceededError) and not error.reason
    return before if in_vain and before is not None and is_away(before) else error


def _pause(error: PullbackError, attempt: int, served: bool) -> float | None:
    if isinstance(error, OverloadedError):
        if error.retry_after is None or attempt >= _ATTEMPTS:
            return None
        # Those who were refused together should not come back together.
        return error.retry_after * (1.0 + _SPREAD * random.random())  # noqa: S311 -- no secret
    if is_away(error) and (served or is_unhealthy(error)) and attempt < _PATIENT_ATTEMPTS:
        return max(error.retry_after or 0.0, min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0**attempt))
    return None


def pause_before_resuming(error: PullbackError | None, tries: int, *, answered: bool) -> float | None:
    """How many seconds to wait before a stream that ended is opened again; None if it is not worth a try.

    Args:
        error: Why it ended; None where it came to its end.
        tries: How often it was opened without an answer since.
        answered: Whether it ever had an answer.
    """
    if error is None:
        return None
    if wants_new_token(error):
        return 0.0
    return pause_before_retry(error, tries, None, served=answered or bool(error.reason))


def wants_new_token(error: PullbackError) -> bool:
    """Whether a stream ended because its token did: another one may hold, or the next stream says so."""
    return error.reason == "UNAUTHENTICATED" and "stream" in error.metadata


def is_away(error: PullbackError) -> bool:
    """Whether a call failed because the server has gone or is about to, and may be there again."""
    broken = not error.reason and any(word in error.message for word in _BROKEN)
    return broken or (isinstance(error, UnavailableError) and error.code == "UNAVAILABLE")


def is_unhealthy(error: PullbackError) -> bool:
    """Whether a call failed because every server says that it does not serve now."""
    return is_away(error) and _UNHEALTHY in error.message
