"""EvaluateResponse: how it is written and read."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

from pullback.codec.errors import CodecError
from pullback.codec.fields import Buffer, Pieces, fields, read_length, varint
from pullback.codec.tensors import Tensor, read_tensor, tensor_parts
from pullback.codec.timings import Timing, read_timing, timing_bytes

_REVISION: Final = 0x0A
_TIMING: Final = 0x12
_RESULTS: Final = 0x1A
_TENSORS: Final = 0x0A
_SHORT: Final = 256
_UNTIMED: Final = Timing()


class Response(NamedTuple):
    """What was evaluated.

    Attributes:
        revision: The name of the revision that was evaluated.
        timing: Where the time went.
        results: For each want, its tensors.
    """

    revision: str
    timing: Timing
    results: tuple[tuple[Tensor, ...], ...]


def response_parts(response: Response) -> list[Buffer]:
    """What a response is on the wire, in pieces."""
    revision, timing, results = response
    timed = timing_bytes(timing)
    parts: list[Buffer] = [_revision(revision) + b"\x12" + varint(len(timed)) + timed]
    for tensors in results:
        parts += _result_parts(tensors)
    return parts


def read_response(buffer: Buffer, at: int, end: int) -> Response:
    """The response between two places of a buffer; the elements of its tensors are slices of it.

    Raises:
        CodecError: If there is none.
    """
    begin = at
    revision, timing = "", _UNTIMED
    results: list[tuple[Tensor, ...]] = []
    if at < end and buffer[at] == _REVISION:
        start, at = read_length(buffer, at + 1, end)
        revision = _text(bytes(buffer[start:at])) if at - start < _SHORT else _read_text(buffer, start, at)
    if at < end and buffer[at] == _TIMING:
        start, at = read_length(buffer, at + 1, end)
        timing = read_timing(buffer, [(start, at)])
    while at < end and buffer[at] == _RESULTS:
        start, at = read_length(buffer, at + 1, end)
        results.append(_read_result(buffer, start, at))
    if at < end:
        return _read_any_response(buffer, begin, end)
    return Response(revision, timing, tuple(results))


def _read_any_response(buffer: Buffer, at: int, end: int) -> Response:
    """A response whose fields stand in any order."""
    revision = ""
    timing: Pieces = []
    results = []
    for tag, value, stop in fields(buffer, at, end):
        if tag == _RESULTS:
            results.append(_read_result(buffer, value, stop))
        elif tag == _REVISION:
            revision = _read_text(buffer, value, stop)
        elif tag == _TIMING:
            timing.append((value, stop))
    return Response(revision, read_timing(buffer, timing) if timing else _UNTIMED, tuple(results))


def _result_parts(tensors: tuple[Tensor, ...]) -> list[Buffer]:
    parts: list[Buffer] = []
    for tensor in tensors:
        parts += tensor_parts(b"\x0a", tensor)
    return [b"\x1a" + varint(sum(map(len, parts))), *parts]


def _read_result(buffer: Buffer, at: int, end: int) -> tuple[Tensor, ...]:
    begin = at
    tensors = []
    while at < end:
        if buffer[at] != _TENSORS:
            return _read_any_result(buffer, begin, end)
        at, stop = read_length(buffer, at + 1, end)
        tensors.append(read_tensor(buffer, at, stop))
        at = stop
    return tuple(tensors)


def _read_any_result(buffer: Buffer, at: int, end: int) -> tuple[Tensor, ...]:
    """A result with fields that nobody here knows."""
    found = fields(buffer, at, end)
    return tuple([read_tensor(buffer, value, stop) for tag, value, stop in found if tag == _TENSORS])


@lru_cache(maxsize=1024)
def _revision(revision: str) -> bytes:
    encoded = revision.encode()
    return b"\x0a" + varint(len(encoded)) + encoded if encoded else b""


@lru_cache(maxsize=1024)
def _text(raw: bytes) -> str:
    return _read_text(raw, 0, len(raw))


def _read_text(buffer: Buffer, at: int, end: int) -> str:
    try:
        return str(buffer[at:end], "utf-8")
    except UnicodeDecodeError as error:
        raise CodecError(f"the text before byte {end} is not UTF-8: {error}") from None
