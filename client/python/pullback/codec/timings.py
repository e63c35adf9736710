"""Where the time of an evaluation went, and durations."""

from __future__ import annotations

from typing import Final, NamedTuple

from pullback.codec.fields import Buffer, Pieces, fields, merged, signed, varint

_NANOSECONDS: Final = 1_000_000_000
_SECONDS: Final = 0x08
_NANOS: Final = 0x10
_BATCH: Final = 0x28
_PADDING: Final = 0x30


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
    written = _duration(b"\x0a", total) if total else b""
    if compile_:
        written += _duration(b"\x12", compile_)
    if execute:
        written += _duration(b"\x1a", execute)
    if queue:
        written += _duration(b"\x22", queue)
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


def _duration(tag: bytes, seconds: float) -> bytes:
    whole, rest = divmod(round(seconds * _NANOSECONDS), _NANOSECONDS)
    written = b"\x08" + varint(whole) if whole else b""
    if rest:
        written += b"\x10" + varint(rest)
    return tag + varint(len(written)) + written


def _read_duration(buffer: Buffer, pieces: Pieces) -> float:
    buffer, at, end = merged(buffer, pieces)
    seconds = nanos = 0
    for tag, value, _ in fields(buffer, at, end):
        if tag == _SECONDS:
            seconds = signed(value, 64)
        elif tag == _NANOS:
            nanos = signed(value, 32)
    return seconds + nanos / _NANOSECONDS


_DURATIONS: Final = (0x0A, 0x12, 0x1A, 0x22)
