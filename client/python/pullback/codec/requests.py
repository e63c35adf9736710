"""EvaluateRequest: how it is written and read."""

from __future__ import annotations

from typing import Final, NamedTuple

from pullback.codec.fields import Buffer, Pieces, fields, read_length, varint
from pullback.codec.tensors import Shared, Tensor, field_of_shared, read_shared, read_tensor, tensor_parts

_HEAD: Final = (0x0A, 0x12)
_ARGUMENTS: Final = 0x1A
_TANGENTS: Final = 0x22
_COTANGENTS: Final = 0x2A
_RESULTS: Final = 0x32


class Request(NamedTuple):
    """What to evaluate, and where.

    Attributes:
        head: The fields `function` and `wants` as they stand on the wire: by itself a serialized
            EvaluateRequest. Most requests of a client have the same, so that whoever reads them keeps what it
            made of it. It is not looked into here.
        arguments: The arguments.
        tangents: For JVP, HVP and GGN_VP.
        cotangents: For VJP.
        results: Where the results may be written.
    """

    head: bytes
    arguments: tuple[Tensor, ...]
    tangents: tuple[Tensor, ...] = ()
    cotangents: tuple[Tensor, ...] = ()
    results: Shared | None = None


def request_parts(request: Request) -> list[Buffer]:
    """What a request is on the wire, in pieces."""
    head, arguments, tangents, cotangents, results = request
    parts: list[Buffer] = [head]
    for tensor in arguments:
        parts += tensor_parts(b"\x1a", tensor)
    for tensor in tangents:
        parts += tensor_parts(b"\x22", tensor)
    for tensor in cotangents:
        parts += tensor_parts(b"\x2a", tensor)
    if results is not None:
        parts.append(field_of_shared(b"\x32", results))
    return parts


def read_request(buffer: Buffer, at: int, end: int) -> Request:
    """The request between two places of a buffer; the elements of its tensors are slices of it.

    Raises:
        CodecError: If there is none.
    """
    begin = end_of_head = at
    arguments: list[Tensor] = []
    tangents: list[Tensor] = []
    cotangents: list[Tensor] = []
    while at < end:
        tag = buffer[at]
        if tag == _ARGUMENTS:
            tensors = arguments
        elif tag in _HEAD and at == end_of_head:
            _, end_of_head = read_length(buffer, at + 1, end)
            at = end_of_head
            continue
        elif tag == _TANGENTS:
            tensors = tangents
        elif tag == _COTANGENTS:
            tensors = cotangents
        else:
            return _read_any_request(buffer, begin, end)
        at, stop = read_length(buffer, at + 1, end)
        tensors.append(read_tensor(buffer, at, stop))
        at = stop
    head = bytes(buffer[begin:end_of_head])
    return Request(head, tuple(arguments), tuple(tangents), tuple(cotangents), None)


def _read_any_request(buffer: Buffer, at: int, end: int) -> Request:
    """A request whose fields stand in any order."""
    head: list[Buffer] = []
    arguments: list[Tensor] = []
    tangents: list[Tensor] = []
    cotangents: list[Tensor] = []
    results: Pieces = []
    for tag, value, stop in fields(buffer, at, end):
        if tag == _ARGUMENTS:
            arguments.append(read_tensor(buffer, value, stop))
        elif tag == _TANGENTS:
            tangents.append(read_tensor(buffer, value, stop))
        elif tag == _COTANGENTS:
            cotangents.append(read_tensor(buffer, value, stop))
        elif tag in _HEAD:
            head += (tag.to_bytes(1, "little"), varint(stop - value), buffer[value:stop])
        elif tag == _RESULTS:
            results.append((value, stop))
    shared = read_shared(buffer, results) if results else None
    return Request(b"".join(head), tuple(arguments), tuple(tangents), tuple(cotangents), shared)
