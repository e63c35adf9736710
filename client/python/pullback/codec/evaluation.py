"""The messages of EvaluationService that carry tensors, and the functions that write and read them."""

from __future__ import annotations

from pullback.codec.errors import CodecError
from pullback.codec.fields import Buffer
from pullback.codec.requests import Request, read_request, request_parts
from pullback.codec.responses import Response, read_response, response_parts
from pullback.codec.streams import read_stream_request, read_stream_response, with_id
from pullback.codec.timings import Timing

__all__ = [
    "CodecError",
    "Request",
    "Response",
    "Timing",
    "decode_request",
    "decode_response",
    "decode_stream_request",
    "decode_stream_response",
    "encode_request",
    "encode_response",
    "encode_stream_request",
    "encode_stream_response",
]


def encode_request(request: Request) -> bytes:
    """A request as a serialized EvaluateRequest; each tensor is copied once."""
    return b"".join(request_parts(request))


def decode_request(buffer: Buffer) -> Request:
    """The request that a serialized EvaluateRequest is; the elements of its tensors are slices of it.

    Raises:
        CodecError: If it is none. What stands in the head is not looked into.
    """
    return read_request(buffer, 0, len(buffer))


def encode_response(response: Response) -> bytes:
    """A response as a serialized EvaluateResponse; each tensor is copied once."""
    return b"".join(response_parts(response))


def decode_response(buffer: Buffer) -> Response:
    """The response that a serialized EvaluateResponse is; the elements of its tensors are slices of it.

    Raises:
        CodecError: If it is none.
    """
    return read_response(buffer, 0, len(buffer))


def encode_stream_request(id_: int, request: Request) -> bytes:
    """A request of a stream as a serialized EvaluateStreamRequest.

    Args:
        id_: The number that its answer will carry; 0 to 2**64 - 1.
        request: The request.
    """
    return with_id(id_, b"\x12", request_parts(request))


def decode_stream_request(buffer: Buffer) -> tuple[int, Request]:
    """The number and the request that a serialized EvaluateStreamRequest has.

    Raises:
        CodecError: If it is none.
    """
    return read_stream_request(buffer, 0, len(buffer))


def encode_stream_response(id_: int, outcome: Response | bytes) -> bytes:
    """An answer of a stream as a serialized EvaluateStreamResponse.

    Args:
        id_: The number of the request; 0 to 2**64 - 1.
        outcome: The response, or a serialized Status.
    """
    if isinstance(outcome, bytes):
        return with_id(id_, b"\x1a", [outcome])
    return with_id(id_, b"\x12", response_parts(outcome))


def decode_stream_response(buffer: Buffer) -> tuple[int, Response | bytes]:
    """The number of a request, and its response or the serialized Status of its error.

    Raises:
        CodecError: If it is none.
    """
    return read_stream_response(buffer, 0, len(buffer))
