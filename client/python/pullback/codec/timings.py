"""Where the time of an evaluation went, and durations."""

from __future__ import annotations

from typing import Final, NamedTuple

from pullback.codec.fields import Buffer, Pieces, fields, merged, read_length, read_varint, signed, varint

_NANOSECONDS: Final = 1_000_000_000
_TOTAL: Final = 0x0A
_COMPILE: Final = 0x12
_EXECUTE: Final = 0x1A
_QUEUE: Final = 0x22
_BATCH: Final = 0x28
_PADDING: Final = 0x30
_DURATIONS: Final = (_TOTAL, _COMPILE, _EXECUTE, _QUEUE)
_SECONDS: Final = 0x08
_NANOS: Final = 0x10
_LARGEST_NANOS: Final = (1 << 31) - 1
_LARGEST_COUNT: Final = (1 << 63) - 1
_OF_2_BYTES: Final = range(1 << 7, 1 << 14)
_OF_3_BYTES: Final = range(1 << 14, 1 << 21)
_OF_4_BYTES: Final = range(1 << 21, 1 << 28)


class Timing(NamedTuple):
    """Where the time of an evaluation went, in seconds.

    Attributes:
        total: From the request's arrival to its answer, in the server.
        compile: Compiling; zero where the executable was there.
        execute: Running on the device.
        queue: Waiting in the server until a device was free.
        batch: How many points ran together, with those of other requests and with padding; 0 for a single
            point that ran alone.
        padding: How many of these points were padding.
    """

    total: float = 0.0
    compile: float = 0.0
    execute: float = 0.0
    queue: float = 0.0
    batch: int = 0
    padding: int = 0


def timing_bytes(timing: Timing) -> bytes:
    """A timing on the wire, without the tag and length of a field."""
    total, compile_, execute, queue, batch, padding = timing
    written = _duration(_TOTAL, total) if total else b""
    if compile_:
        written += _duration(_COMPILE, compile_)
    if execute:
        written += _duration(_EXECUTE, execute)
    if queue:
        written += _duration(_QUEUE, queue)
    if batch:
        written += b"\x28" + varint(batch)
    if padding:
        written += b"\x30" + varint(padding)
    return written


def read_timing(buffer: Buffer, pieces: Pieces) -> Timing:
    """The timing that a field names, which may stand there several times.

    Raises:
        CodecError: If it is none.
    """
    buffer, at, end = merged(buffer, pieces)
    begin, after = at, 0
    nanos = {_TOTAL: 0, _COMPILE: 0, _EXECUTE: 0, _QUEUE: 0}
    while at < end and after < buffer[at] and buffer[at] in nanos:
        after = buffer[at]
        at, stop = read_length(buffer, at + 1, end)
        if at < stop and buffer[at] == _NANOS:
            nanos[after], at = read_varint(buffer, at + 1)
        if at != stop or nanos[after] > _LARGEST_NANOS:
            return _read_any_timing(buffer, begin, end)
    batch = padding = 0
    if at < end and buffer[at] == _BATCH:
        batch, at = read_varint(buffer, at + 1)
    if at < end and buffer[at] == _PADDING:
        padding, at = read_varint(buffer, at + 1)
    if at != end or batch > _LARGEST_COUNT or padding > _LARGEST_COUNT:
        return _read_any_timing(buffer, begin, end)
    total, compile_, execute, queue = nanos.values()
    return Timing(
        total / _NANOSECONDS,
        compile_ / _NANOSECONDS,
        execute / _NANOSECONDS,
        queue / _NANOSECONDS,
        batch,
        padding,
    )


def _read_any_timing(buffer: Buffer, at: int, end: int) -> Timing:
    """A timing whose fields stand in any order."""
    durations: dict[int, Pieces] = {}
    batch = padding = 0
    for tag, value, stop in fields(buffer, at, end):
        if tag in _DURATIONS:
            durations.setdefault(tag, []).append((value, stop))
        elif tag == _BATCH:
            batch = signed(value, 64)
        elif tag == _PADDING:
            padding = signed(value, 64)
    seconds = [_read_duration(buffer, durations[tag]) if tag in durations else 0.0 for tag in _DURATIONS]
    total, compile_, execute, queue = seconds
    return Timing(total, compile_, execute, queue, batch, padding)


def _duration(tag: int, seconds: float) -> bytes:
    nanos = round(seconds * _NANOSECONDS)
    if nanos in _OF_3_BYTES:
        return bytes((tag, 4, _NANOS, nanos & 127 | 128, nanos >> 7 & 127 | 128, nanos >> 14))
    if nanos in _OF_2_BYTES:
        return bytes((tag, 3, _NANOS, nanos & 127 | 128, nanos >> 7))
    if nanos in _OF_4_BYTES:
        low = (nanos & 127 | 128, nanos >> 7 & 127 | 128, nanos >> 14 & 127 | 128)
        return bytes((tag, 5, _NANOS, *low, nanos >> 21))
    whole, rest = divmod(nanos, _NANOSECONDS)
    written = b"\x08" + varint(whole) if whole else b""
    if rest:
        written += b"\x10" + varint(rest)
    return varint(tag) + varint(len(written)) + written


def _read_duration(buffer: Buffer, pieces: Pieces) -> float:
    buffer, at, end = merged(buffer, pieces)
    seconds = nanos = 0
    for tag, value, _ in fields(buffer, at, end):
        if tag == _SECONDS:
            seconds = signed(value, 64)
        elif tag == _NANOS:
            nanos = signed(value, 32)
    return seconds + nanos / _NANOSECONDS
