"""Errors: how a gRPC status becomes one, and what they carry."""

from __future__ import annotations

import pickle

import pytest
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration

from pullback import errors
from pullback._status import error_from_call, error_from_status
from pullback.v1 import errors_pb2

PREFIX = "type.googleapis.com/google.rpc."


def status(code: int, reason: str, retry: float | None = None, **metadata: str) -> errors_pb2.Status:
    """A google.rpc.Status as servers send it."""
    info = errors_pb2.ErrorInfo(reason=reason, domain="pullback.dev", metadata=metadata)
    details = [Any(type_url=PREFIX + "ErrorInfo", value=info.SerializeToString())]
    if retry is not None:
        delay = errors_pb2.RetryInfo(retry_delay=Duration(seconds=int(retry), nanos=round(retry % 1 * 1e9)))
        details.append(Any(type_url=PREFIX + "RetryInfo", value=delay.SerializeToString()))
    return errors_pb2.Status(code=code, message="a sentence", details=details)


def trailers(message: errors_pb2.Status) -> list[tuple[str, str | bytes]]:
    """The trailing metadata of a failed call."""
    return [("grpc-status-details-bin", message.SerializeToString()), ("x-request-id", "17")]


@pytest.mark.parametrize(
    ("code", "reason", "kind"),
    [
        ("INVALID_ARGUMENT", "SHAPE_MISMATCH", errors.InvalidArgumentError),
        ("NOT_FOUND", "FUNCTION_NOT_FOUND", errors.NotFoundError),
        ("DATA_LOSS", "STORED_PROGRAM_DAMAGED", errors.DataLossError),
        ("RESOURCE_EXHAUSTED", "LIMIT_EXCEEDED", errors.LimitExceededError),
        ("RESOURCE_EXHAUSTED", "TENANT_FULL", errors.LimitExceededError),
        ("UNAVAILABLE", "NOT_READY", errors.UnavailableError),
        ("INTERNAL", "WORKER_DIED", errors.ServerError),
        ("ABORTED", "CONCURRENT_REGISTRATION", errors.ConflictError),
        ("UNAUTHENTICATED", "", errors.PermissionDeniedError),
        ("UNIMPLEMENTED", "", errors.ServerError),
    ],
)
def test_each_code_has_its_class(code: str, reason: str, kind: type[errors.PullbackError]) -> None:
    """One class for each way to recover."""
    error = error_from_call(code, "a sentence", trailers(status(0, reason)), "host:1")
    assert type(error) is kind
    assert (error.code, error.reason, error.request_id) == (code, reason, "17")


def test_an_error_carries_everything() -> None:
    """Message, metadata and the delay arrive."""
    sent = status(8, "OVERLOADED", retry=1.25, limit="64")
    error = error_from_call("RESOURCE_EXHAUSTED", "a sentence", trailers(sent), "host:1")
    assert (str(error), error.metadata, error.retry_after) == ("a sentence", {"limit": "64"}, 1.25)
    # Only the delay tells what passes from a limit that stays.
    assert type(error) is errors.OverloadedError


def test_a_status_in_a_stream() -> None:
    """The same, where the code is a number and the request's id stands in the metadata."""
    error = error_from_status(status(3, "SHAPE_MISMATCH", request_id="18").SerializeToString())
    assert isinstance(error, errors.InvalidArgumentError)
    assert (error.code, error.reason, error.request_id, error.message) == (
        "INVALID_ARGUMENT",
        "SHAPE_MISMATCH",
        "18",
        "a sentence",
    )


def test_a_code_from_the_future() -> None:
    """It is an error of the server, not a crash of the client."""
    assert error_from_status(status(99, "NEW").SerializeToString()).code == "UNKNOWN"


@pytest.mark.parametrize(
    "garbage",
    [
        b"\xff\xff",
        errors_pb2.Status(details=[Any(type_url=PREFIX + "ErrorInfo", value=b"\xff")]).SerializeToString(),
        errors_pb2.Status(details=[Any(type_url=PREFIX + "RetryInfo", value=b"\xff")]).SerializeToString(),
    ],
)
def test_details_of_another_kind(garbage: bytes) -> None:
    """A proxy's own bytes in the details, or within them, hide neither code nor message."""
    error = error_from_call("INTERNAL", "hm", [("grpc-status-details-bin", garbage)], "host:1")
    assert (type(error), str(error), error.reason) == (errors.ServerError, "hm", "")
    in_a_stream = error_from_status(garbage)
    assert type(in_a_stream) is errors.ServerError
    assert "cannot be read" in str(in_a_stream)


@pytest.mark.parametrize(
    ("code", "part"),
    [
        ("UNAVAILABLE", "no server answers at host:1; start one with `pullback serve`"),
        ("DEADLINE_EXCEEDED", "host:1 did not answer in time"),
        ("UNIMPLEMENTED", "is it a Pullback server"),
        ("CANCELLED", "as when its client is closed"),
    ],
)
def test_what_grpc_says_itself_is_explained(code: str, part: str) -> None:
    """Where no server spoke, the message says what happened and what to do."""
    error = error_from_call(code, "connection refused", [], "host:1")
    assert part in str(error)
    assert "connection refused" in str(error)


def test_messages_that_grpc_itself_refuses() -> None:
    """It gives no reason; its numbers are found in what it says."""
    said = "SERVER: Received message larger than max (600000000 vs. 537919488)"
    error = error_from_call("RESOURCE_EXHAUSTED", said, [], "host:1")
    assert isinstance(error, errors.LimitExceededError)
    assert error.reason == "MESSAGE_TOO_LARGE"
    assert error.metadata == {"value": "600000000", "limit": "537919488"}
    assert "a message of the call has 600000000 bytes" in str(error)
    assert "host:1 takes 537919488; send fewer points" in str(error)


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (errors.InvalidArgumentError, ValueError),
        (errors.NotFoundError, LookupError),
        (errors.PermissionDeniedError, PermissionError),
        (errors.UnavailableError, ConnectionError),
        (errors.DeadlineExceededError, TimeoutError),
    ],
)
def test_python_s_own_classes(kind: type[errors.PullbackError], builtin: type[Exception]) -> None:
    """Code that knows nothing of Pullback catches them too, and they survive another process."""
    error = kind("a sentence", code="C", reason="R", metadata={"a": "b"}, request_id="1")
    assert isinstance(error, builtin)
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 -- made one line above
    assert (str(copy), copy.code, copy.reason, copy.metadata) == ("a sentence", "C", "R", {"a": "b"})
