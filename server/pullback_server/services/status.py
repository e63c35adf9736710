"""The one place where errors become gRPC status.

A failed call ends with the code and sentence of its error, and with a google.rpc.Status in its trailing
metadata that holds the reason and what belongs to it.
"""

from __future__ import annotations

import logging
from typing import Final

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import Message

from pullback.v1 import errors_pb2
from pullback_server.errors import (
    AccessError,
    AvailabilityError,
    DeadlineError,
    ExecutionError,
    PressureError,
    QuarantineError,
    Reason,
    RequestError,
    ServiceError,
    StoredDataError,
    service_error,
)
from pullback_server.services.audit import turned_away
from pullback_server.services.context import Context
from pullback_server.telemetry.requests import accept_request_id, request_id

_log = logging.getLogger(__name__)

DOMAIN: Final = "pullback.dev"
DETAILS_KEY: Final = "grpc-status-details-bin"
REQUEST_ID_KEY: Final = "x-request-id"
PUSHBACK_KEY: Final = "grpc-retry-pushback-ms"
_LEVELS: Final = {
    RequestError: logging.DEBUG,
    AccessError: logging.INFO,
    QuarantineError: logging.INFO,
    DeadlineError: logging.DEBUG,
    PressureError: logging.INFO,
    AvailabilityError: logging.INFO,
    ExecutionError: logging.WARNING,
    StoredDataError: logging.ERROR,
}
_TYPE_URL: Final = "type.googleapis.com/google.rpc."
_NANOSECONDS: Final = 1_000_000_000
# What a status says travels twice, the second time in base64, and clients take 8 KiB of headers.
_LONGEST_MESSAGE: Final = 2048
_LONGEST_VALUE: Final = 256


def service_error_of(error: Exception) -> ServiceError:
    """The error to tell; one that nobody foresaw goes to the log with all it knows, and becomes INTERNAL."""
    if isinstance(error, ServiceError):
        _log.log(_LEVELS[type(error)], "%s: %s", error.reason, error.message)
        return error
    _log.error("an error that nobody foresaw", exc_info=error)
    return service_error(
        Reason.INTERNAL,
        "the server met an error that nobody foresaw; its log tells more under the request id "
        f"{request_id.get()}",
    )


def status_message(error: ServiceError) -> errors_pb2.Status:
    """The google.rpc.Status of an error, its texts cut to what headers can carry."""
    metadata = {key: _cut(value, _LONGEST_VALUE) for key, value in error.metadata.items()}
    if request_id.get():
        metadata["request_id"] = request_id.get()
    info = errors_pb2.ErrorInfo(reason=error.reason.value, domain=DOMAIN, metadata=metadata)
    details = [_any("ErrorInfo", info)]
    if error.retry_delay is not None:
        details.append(_any("RetryInfo", errors_pb2.RetryInfo(retry_delay=duration(error.retry_delay))))
    return errors_pb2.Status(code=_code(error).value[0], message=_message(error), details=details)


async def abort(context: Context, error: ServiceError) -> None:
    """Ends a call with an error, which has a request id even if the call was turned away before it had one.

    Raises:
        grpc.aio.AbortError: Always; it is how gRPC ends a call.
    """
    _give_id(context)
    trailing: list[tuple[str, str | bytes]] = [
        (REQUEST_ID_KEY, request_id.get()),
        (DETAILS_KEY, status_message(error).SerializeToString()),
    ]
    if error.retry_delay is not None:
        trailing.append((PUSHBACK_KEY, str(round(error.retry_delay * 1000))))
    if isinstance(error, AccessError):
        await turned_away(error, context.peer())
    await context.abort(_code(error), _message(error), tuple(trailing))


async def refuse(context: Context, error: Exception) -> None:
    """Ends a call whose method was not called, with whatever error.

    Raises:
        grpc.aio.AbortError: Always.
    """
    _give_id(context)
    await abort(context, service_error_of(error))


def _give_id(context: Context) -> None:
    """Gives a call an id, if it was turned away before it had one: what its caller offers, or a new one."""
    if not request_id.get():
        metadata = context.invocation_metadata() or ()
        offered = next((value for key, value in metadata if key == REQUEST_ID_KEY), None)
        request_id.set(accept_request_id(offered if isinstance(offered, str) else None))


def duration(seconds: float) -> duration_pb2.Duration:
    """A duration as a message."""
    whole, rest = divmod(round(seconds * _NANOSECONDS), _NANOSECONDS)
    return duration_pb2.Duration(seconds=whole, nanos=rest)


def _message(error: ServiceError) -> str:
    return _cut(error.message, _LONGEST_MESSAGE)


def _cut(text: str, most: int) -> str:
    """A text whose bytes, percent-encoded as gRPC does it, are no more than about so many."""
    if text.isascii() and 3 * len(text) <= most:
        return text
    length = 0
    for place, character in enumerate(text):
        plain = " " <= character <= "~" and character != "%"
        length += 1 if plain else 3 * len(character.encode(errors="replace"))
        if length > most:
            return f"{text[:place]} ..."
    return text


def _code(error: ServiceError) -> grpc.StatusCode:
    return grpc.StatusCode[error.code.value]


def _any(name: str, message: Message) -> any_pb2.Any:
    return any_pb2.Any(type_url=_TYPE_URL + name, value=message.SerializeToString())
