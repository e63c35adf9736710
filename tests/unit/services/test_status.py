"""Errors as gRPC status: code, reason, metadata, and a time to come back."""

from __future__ import annotations

import logging
from urllib.parse import quote

import grpc
import pytest
from google.protobuf.json_format import MessageToDict

from pullback.v1 import errors_pb2
from pullback_server.errors import Code, Reason, ServiceError, service_error
from pullback_server.services.status import duration, service_error_of, status_message
from pullback_server.telemetry.requests import request_id


@pytest.mark.parametrize("reason", Reason)
def test_every_reason(reason: Reason) -> None:
    """Every reason of the API has a code that gRPC knows and arrives under its name."""
    status = status_message(service_error(reason, "so it is", argument="x"))
    info = errors_pb2.ErrorInfo.FromString(status.details[0].value)
    assert (info.reason, info.domain, dict(info.metadata)) == (
        reason.value,
        "pullback.dev",
        {"argument": "x"},
    )
    assert status.message == "so it is"
    assert status.code == grpc.StatusCode[service_error(reason, "").code.value].value[0]
    assert reason.value in {
        name.removeprefix("REASON_") for name in errors_pb2.Reason.DESCRIPTOR.values_by_name
    }


def test_retry_delay() -> None:
    """A time to come back is a RetryInfo."""
    error = service_error(Reason.OVERLOADED, "later", retry_delay=1.25)
    status = status_message(error)
    assert status.details[1].type_url == "type.googleapis.com/google.rpc.RetryInfo"
    assert errors_pb2.RetryInfo.FromString(status.details[1].value).retry_delay.ToMilliseconds() == 1250


def test_unforeseen_errors(caplog: pytest.LogCaptureFixture) -> None:
    """What nobody foresaw is INTERNAL with the request id, and stands in the log with its traceback."""
    token = request_id.set("r-1")
    try:
        with caplog.at_level(logging.ERROR):
            error = service_error_of(ZeroDivisionError("secret"))
            info = MessageToDict(errors_pb2.ErrorInfo.FromString(status_message(error).details[0].value))
    finally:
        request_id.reset(token)
    assert (error.reason, error.code) == (Reason.INTERNAL, Code.INTERNAL)
    assert "r-1" in error.message
    assert "secret" not in error.message
    assert info["metadata"] == {"request_id": "r-1"}
    assert "ZeroDivisionError: secret" in caplog.text


@pytest.mark.parametrize("character", ["x", "%", "\u00fc", "\U0001d54f", "\n"])
def test_long_texts_are_cut(character: str) -> None:
    """However long a name that an error repeats is, the error fits into the headers of a call."""
    long = character * 100_000
    status = status_message(service_error(Reason.FUNCTION_NOT_FOUND, f"no {long}", function=long))
    assert len(status.SerializeToString()) * 4 / 3 + len(quote(status.message)) < 6000
    assert status.message.startswith(f"no {character * 100}")
    assert status.message.endswith(" ...")


def test_own_errors_stay() -> None:
    """An error with a reason is told as it is."""
    error = service_error(Reason.NOT_READY, "soon")
    assert service_error_of(error) is error
    assert isinstance(error, ServiceError)


@pytest.mark.parametrize(
    ("seconds", "parts"), [(0.0, (0, 0)), (1.5, (1, 500_000_000)), (0.9999999999, (1, 0)), (1e-9, (0, 1))]
)
def test_durations(seconds: float, parts: tuple[int, int]) -> None:
    """Durations are whole seconds and nanoseconds under a second."""
    message = duration(seconds)
    assert (message.seconds, message.nanos) == parts
