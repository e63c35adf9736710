"""Frames: a message and the buffers of its tensors, as bytes on a stream.

    magic (4 bytes) | header length (u32) | number of buffers (u32) | length of each buffer (u64) |
    header (the message as MessagePack) | buffers, one after the other

All numbers are little-endian. Without I/O: `encode` gives what to write, and a `FrameReader` says where to
put what is read, so that a blocking worker, an asyncio front and a test share it. Lengths are checked
before anything is allocated for them, since a worker that a client's program has damaged may write
anything.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec
import numpy as np

from pullback_server.model.evaluation import Buffer
from pullback_server.model.messages import Message

MAGIC: Final = b"PBW2"
MAX_HEADER_BYTES: Final = (1 << 31) - 1
MAX_BUFFERS: Final = 1 << 16
MAX_BODY_BYTES: Final = 1 << 32
READ_BYTES: Final = 1 << 20
"""The size of the buffer into which frames are read; a larger one gets a buffer of its own."""

_PREFIX: Final = struct.Struct("<4sII")
_LENGTH_BYTES: Final = 8
_LARGEST_HEAD: Final = _PREFIX.size + MAX_BUFFERS * _LENGTH_BYTES
# From here on the parts of a frame are cheaper written one by one than joined.
_JOINED_BYTES: Final = 1 << 16
_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(Message)


class FrameError(Exception):
    """What was read is no frame, or what should be written does not fit into one."""


class Frame(NamedTuple):
    """A message with the buffers that belong to it.

    Attributes:
        message: The message.
        buffers: The bytes of its tensors, in the order in which the message names them.
    """

    message: Message
    buffers: Sequence[Buffer] = ()


def encode(frame: Frame) -> list[Buffer]:
    """The parts to write, one after the other: one if the frame is small; large buffers are not copied.

    Raises:
        FrameError: If the frame is larger than a reader accepts.
    """
    header = _ENCODER.encode(frame.message)
    buffers = frame.buffers
    if not buffers:
        _check(len(header), 0, 0)
        return [_PREFIX.pack(MAGIC, len(header), 0) + header]
    lengths = [memoryview(buffer).nbytes for buffer in buffers]
    body = sum(lengths)
    _check(len(header), len(lengths), body)
    prefix = _PREFIX.pack(MAGIC, len(header), len(lengths)) + _lengths(len(lengths)).pack(*lengths)
    if body < _JOINED_BYTES:
        return [b"".join((prefix, header, *buffers))]
    return [prefix + header, *(buffer for buffer, length in zip(buffers, lengths, strict=True) if length)]


class _Shape(NamedTuple):
    """How a frame is laid out.

    Attributes:
        begin: Where its header begins.
        header: The bytes of the header.
        lengths: The bytes of each buffer.
        nbytes: The bytes of the whole.
    """

    begin: int
    header: int
    lengths: Sequence[int]
    nbytes: int


class FrameReader:
    """Cuts a stream into frames: read into `room`, then tell how much came.

    The buffers of a small frame are copies, so that the room is used again; those of a frame that is larger
    than the room are views of a buffer of its own.
    """

    def __init__(self) -> None:
        self._shared = memoryview(bytearray(READ_BYTES))
        self._buffer = self._shared
        self._begin = 0
        self._end = 0

    @property
    def room(self) -> memoryview:
        """Where to put the bytes that come next; never empty."""
        return self._buffer[self._end :]

    @property
    def begun(self) -> bool:
        """Whether a part of a frame is here."""
        return self._end > self._begin

    def received(self, count: int) -> list[Frame]:
        """Takes note of bytes that were put into `room`.

        Args:
            count: How many.

        Returns:
            The frames that are complete now.

        Raises:
            FrameError: If the stream goes on with what is no frame, or with one over the limits.
        """
        self._end += count
        frames: list[Frame] = []
        while self._begin < self._end:
            shape = self._shape()
            if shape is None or self._begin + shape.nbytes > self._end:
                self._make_room(_PREFIX.size if shape is None else shape.nbytes)
                return frames
            frames.append(self._cut(shape))
        self._buffer = self._shared
        self._begin = self._end = 0
        return frames

    def _shape(self) -> _Shape | None:
        """The shape of the next frame; None until its lengths are here."""
        available = self._end - self._begin
        if available < _PREFIX.size:
            return None
        magic, header, count = _PREFIX.unpack_from(self._buffer, self._begin)
        if magic != MAGIC:
            raise FrameError(f"a frame begins with {MAGIC!r}, not with {magic!r}")
        _check(header, count, 0)
        if count == 0:
            return _Shape(_PREFIX.size, header, (), _PREFIX.size + header)
        begin = _PREFIX.size + count * _LENGTH_BYTES
        if available < begin:
            return None
        lengths = _lengths(count).unpack_from(self._buffer, self._begin + _PREFIX.size)
        body = sum(lengths)
        _check(header, count, body)
        return _Shape(begin, header, lengths, begin + header + body)

    def _cut(self, shape: _Shape) -> Frame:
        place = self._begin + shape.begin
        message = _message(bytes(self._buffer[place : place + shape.header]))
        place += shape.header
        buffers: list[Buffer] = []
        own = self._buffer is not self._shared
        for length in shape.lengths:
            view = self._buffer[place : place + length]
            buffers.append(view if own else bytes(view))
            place += length
        self._begin = place
        return Frame(message, buffers)

    def _make_room(self, wanted: int) -> None:
        """Makes room for so many bytes from the beginning of the next frame on."""
        rest = self._buffer[self._begin : self._end]
        if wanted > len(self._buffer):
            # Takes no memory until it is written, however much was announced.
            self._buffer = np.empty(wanted, np.uint8).data
            self._buffer[: len(rest)] = rest
        elif self._begin + max(wanted, _LARGEST_HEAD) > len(self._buffer):
            self._buffer[: len(rest)] = rest
        else:
            return
        self._begin, self._end = 0, len(rest)


@lru_cache(64)
def _lengths(count: int) -> struct.Struct:
    return struct.Struct(f"<{count}Q")


def _message(header: bytes) -> Message:
    try:
        message: Message = _DECODER.decode(header)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise FrameError(f"the header of a frame is no message: {error}") from error
    return message


def _check(header_bytes: int, buffers: int, body_bytes: int) -> None:
    if header_bytes <= MAX_HEADER_BYTES and buffers <= MAX_BUFFERS and body_bytes <= MAX_BODY_BYTES:
        return
    if header_bytes > MAX_HEADER_BYTES:
        raise FrameError(f"a frame has {header_bytes} header bytes; the limit is {MAX_HEADER_BYTES}")
    if buffers > MAX_BUFFERS:
        raise FrameError(f"a frame has {buffers} buffers; the limit is {MAX_BUFFERS}")
    raise FrameError(f"a frame has {body_bytes} bytes of buffers; the limit is {MAX_BODY_BYTES}")
