"""The limits that requests are held to."""

from __future__ import annotations

from dataclasses import dataclass

from pullback_server.errors import Reason, ServiceError, service_error


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits that requests are held to. See the settings of the same names.

    Attributes:
        message_bytes: The largest message in bytes, in either direction.
        program_bytes: The largest serialized program in bytes.
        constant_bytes: The largest constant of a program in bytes.
        derivative_order: The highest order of a derivative.
        batch: The most points in one request.
        in_flight: The most requests in flight in the whole server.
        in_flight_per_stream: The most requests of one stream that are worked on at a time.
    """

    message_bytes: int
    program_bytes: int
    constant_bytes: int
    derivative_order: int
    batch: int
    in_flight: int
    in_flight_per_stream: int


def exceeded(what: str, value: int, limit: int, setting: str, advice: str) -> ServiceError:
    """The error of a value over its limit.

    Args:
        what: What is too large, such as `the batch has {value} points`.
        value: How large it is.
        limit: How large it may be.
        setting: The server's setting for it.
        advice: What to do.
    """
    return service_error(
        Reason.LIMIT_EXCEEDED,
        f"{what}; the server's limit ({setting}) is {limit}; {advice}",
        value=str(value),
        limit=str(limit),
        setting=setting,
    )
