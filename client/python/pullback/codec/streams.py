"""EvaluateStreamRequest and EvaluateStreamResponse: how they are written and read."""

from __future__ import annotations

from typing import Final

from pullback.codec.errors import CodecError
from pullback.codec.fields import Buffer, Pieces, fields, merged, read_length, read_varint, varint
from pullback.codec.requests import Request, read_request
from pullback.codec.responses import Response, read_response

_ID: Final = 0x08
_REQUEST: Final = 0x12
_RESPONSE: Final = 0x12
_ERROR: Final = 0x1A


def with_id(id_: int, tag: bytes, parts: list[Buffer]) -> bytes:
    """A number and a message as one message: with one join.

    Args:
        id_: The number.
        tag: The tag of the message's field.
        parts: The message in pieces.
    """
    head = (b"\x08" + varint(id_) if id_ else b"") + tag + varint(sum(map(len, parts)))
    return b"".join([head, *parts])


def read_stream_request(buffer: Buffer, at: int, end: int) -> tuple[int, Request]:
    """The number and the request between two places of a buffer.

    Raises:
        CodecError: If there are none.
    """
    if at < end and buffer[at] == _ID:
        id_, after = read_varint(buffer, at + 1)
        if after < end and buffer[after] == _REQUEST:
            begin, stop = read_length(buffer, after + 1, end)
            if stop == end:
                return id_, read_request(buffer, begin, end)
    return _read_any_stream_request(buffer, at, end)


def _read_any_stream_request(buffer: Buffer, at: int, end: int) -> tuple[int, Request]:
    """A stream's request whose fields stand in any order."""
    id_ = 0
    pieces: Pieces = []
    for tag, value, stop in fields(buffer, at, end):
        if tag == _ID:
            id_ = value
        elif tag == _REQUEST:
            pieces.append((value, stop))
    return id_, read_request(*merged(buffer, pieces))


def read_stream_response(buffer: Buffer, at: int, end: int) -> tuple[int, Response | bytes]:
    """The number, and the response or the serialized Status, between two places of a buffer.

    Raises:
        CodecError: If there are none.
    """
    if at < end and buffer[at] == _ID:
        id_, after = read_varint(buffer, at + 1)
        if after < end and buffer[after] == _RESPONSE:
            begin, stop = read_length(buffer, after + 1, end)
            if stop == end:
                return id_, read_response(buffer, begin, end)
    return _read_any_stream_response(buffer, at, end)


def _read_any_stream_response(buffer: Buffer, at: int, end: int) -> tuple[int, Response | bytes]:
    """A stream's answer whose fields stand in any order, or an error.

    One with both is refused, which no writer writes; of these, protobuf would take the last.
    """
    id_ = outcome = 0
    pieces: Pieces = []
    for tag, value, stop in fields(buffer, at, end):
        if tag == _ID:
            id_ = value
        elif tag in (_RESPONSE, _ERROR):
            if tag != outcome and outcome:
                raise CodecError("an answer of a stream has both a response and an error")
            outcome = tag
            pieces.append((value, stop))
    if not outcome:
        raise CodecError("an answer of a stream has neither a response nor an error")
    found, begin, stop = merged(buffer, pieces)
    return id_, read_response(found, begin, stop) if outcome == _RESPONSE else bytes(found[begin:stop])
