"""From the status of a failed gRPC call to an error of `pullback.errors`; without I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from google.protobuf.message import DecodeError

from pullback._trip import REQUEST_ID_KEY
from pullback.errors import (
    ConflictError,
    DataLossError,
    DeadlineExceededError,
    InvalidArgumentError,
    LimitExceededError,
    NotFoundError,
    OverloadedError,
    PermissionDeniedError,
    PullbackError,
    QuarantinedError,
    ServerError,
    UnavailableError,
)
from pullback.v1 import errors_pb2

_DETAILS_KEY: Final = "grpc-status-details-bin"
# What gRPC itself says, on either side, of a message above its own limit.
_TOO_LARGE: Final = re.compile(r"message larger than max \((\d+) vs\. (\d+)\)")
_CLASSES: Final[dict[str, type[PullbackError]]] = {
    "INVALID_ARGUMENT": InvalidArgumentError,
    "FAILED_PRECONDITION": InvalidArgumentError,
    "OUT_OF_RANGE": InvalidArgumentError,
    "NOT_FOUND": NotFoundError,
    "PERMISSION_DENIED": PermissionDeniedError,
    "UNAUTHENTICATED": PermissionDeniedError,
    "RESOURCE_EXHAUSTED": LimitExceededError,
    "ABORTED": ConflictError,
    "UNAVAILABLE": UnavailableError,
    "CANCELLED": UnavailableError,
    "DEADLINE_EXCEEDED": DeadlineExceededError,
    "DATA_LOSS": DataLossError,
}
# google.rpc.Code, which a status inside a message gives by number.
_CODE_NAMES: Final = (
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
)


@dataclass(frozen=True, slots=True)
class _Details:
    reason: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    retry_after: float | None = None


def error_from_call(
    code: str,
    message: str,
    trailing: Iterable[tuple[str, str | bytes]],
    address: str,
    request_id: str = "",
) -> PullbackError:
    """The error of a call that ended with a status other than OK.

    Args:
        code: The name of its gRPC code.
        message: Its message.
        trailing: Its trailing metadata.
        address: Where the call went, for the message of a failed connection.
        request_id: The id under which it went; a server that answers tells the one that its log has.
    """
    values = dict(trailing)
    details = _parse_details(values.get(_DETAILS_KEY, b""))
    too_large = _TOO_LARGE.search(message)
    if not details.reason and code == "RESOURCE_EXHAUSTED" and too_large:
        sizes = dict(zip(("value", "limit"), too_large.groups(), strict=True))
        details = _Details("MESSAGE_TOO_LARGE", sizes)
        message = _of_sizes(address, message, **sizes)
    known_as = str(values.get(REQUEST_ID_KEY) or request_id)
    return _error(code, _sentence(code, message, details, address), details, known_as)


def error_from_status(data: bytes) -> PullbackError:
    """The error of a serialized status that stands in a message of a stream."""
    try:
        status = errors_pb2.Status.FromString(data)
        details = _read_details(status)
    except DecodeError:
        return ServerError("the server answered with an error that cannot be read; see the server's log")
    code = _CODE_NAMES[status.code] if 0 <= status.code < len(_CODE_NAMES) else "UNKNOWN"
    return _error(code, status.message, details, details.metadata.get("request_id", ""))


def _error(code: str, message: str, details: _Details, request_id: str) -> PullbackError:
    overloaded = code == "RESOURCE_EXHAUSTED" and details.retry_after is not None
    quarantined = details.reason == "QUARANTINED"
    other = QuarantinedError if quarantined else _CLASSES.get(code, ServerError)
    chosen = OverloadedError if overloaded else other
    return chosen(
        message,
        code=code,
        reason=details.reason,
        metadata=details.metadata,
        request_id=request_id,
        retry_after=details.retry_after,
    )


def _of_sizes(address: str, message: str, value: str, limit: str) -> str:
    return (
        f"a message of the call has {value} bytes, and gRPC between here and {address} takes {limit}; "
        f"send fewer points at a time, as map does ({message})"
    )


def _sentence(code: str, message: str, details: _Details, address: str) -> str:
    """The message for people; where gRPC itself made it, what it means here is said first."""
    if details.reason:
        return message
    match code:
        case "UNAVAILABLE":
            return f"no server answers at {address}; start one with `pullback serve` ({message})"
        case "DEADLINE_EXCEEDED":
            hint = "see that a server runs there, pass a longer timeout=, or compile ahead"
            return f"{address} did not answer in time; {hint} ({message})"
        case "UNIMPLEMENTED":
            return f"what answers at {address} does not know this call; is it a Pullback server? ({message})"
        case "CANCELLED":
            return f"the call to {address} was cancelled, as when its client is closed ({message})"
        case _:
            return message


def _parse_details(data: str | bytes) -> _Details:
    try:
        return _read_details(errors_pb2.Status.FromString(data if isinstance(data, bytes) else b""))
    except DecodeError:
        # A proxy may put something else there; the code and the message still stand.
        return _Details()


def _read_details(status: errors_pb2.Status) -> _Details:
    info, retry_after = errors_pb2.ErrorInfo(), None
    for detail in status.details:
        kind = detail.type_url.rpartition("/")[2]
        if kind == "google.rpc.ErrorInfo":
            info.ParseFromString(detail.value)
        elif kind == "google.rpc.RetryInfo":
            retry = errors_pb2.RetryInfo.FromString(detail.value)
            retry_after = retry.retry_delay.seconds + retry.retry_delay.nanos * 1e-9
    return _Details(info.reason, dict(info.metadata), retry_after)
