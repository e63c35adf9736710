"""The limits that requests are held to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits that requests are held to. See the settings of the same names.

    Attributes:
        message_bytes: The largest message in bytes, in either direction.
        program_bytes: The largest serialized program in bytes.
        result_bytes: The most bytes of one request's results, wherever they go.
        constant_bytes: The largest constant of a program in bytes.
        program_constant_bytes: The most bytes of all constants of a program.
        inputs: The most tensors that a function takes, or a request has.
        derivative_order: The highest order of a derivative.
        batch: The most points in one request.
        in_flight: The most requests in flight in the whole server.
        in_flight_per_stream: The most requests of one stream that are worked on at a time.
    """

    message_bytes: int
    program_bytes: int
    result_bytes: int
    constant_bytes: int
    program_constant_bytes: int
    inputs: int
    derivative_order: int
    batch: int
    in_flight: int
    in_flight_per_stream: int
