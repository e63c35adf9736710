"""Frames: a message and the buffers of its tensors, as bytes on a stream.

    magic (4 bytes) | header length (u32) | number of buffers (u32) | length of each buffer (u64) |
    header (the message as MessagePack) | buffers, one after the other

All numbers are little-endian. Without I/O: `encode` gives what to write, and `decode` asks for what to
read, so that a blocking worker, an asyncio front and a test share it. Lengths are checked before
anything is allocated for them, since a worker that a client's program has damaged may write anything.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from pullback_server.model.evaluation import Buffer
from pullback_server.model.messages import Message

MAGIC: Final = b"PBW1"
MAX_HEADER_BYTES: Final = (1 << 31) - 1
MAX_BUFFERS: Final = 1 << 16
MAX_BODY_BYTES: Final = 1 << 32
_PREFIX: Final = struct.Struct("<4sII")
_LENGTH_BYTES: Final = 8
_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(Message)


class FrameError(Exception):
    """What was read is no frame, or what should be written does not fit into one."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A message with the buffers that belong to it.

    Attributes:
        message: The message.
        buffers: The bytes of its tensors, in the order in which the message names them.
    """

    message: Message
    buffers: Sequence[Buffer] = ()


def encode(frame: Frame) -> list[Buffer]:
    """The parts to write, one after the other; the buffers are not copied.

    Raises:
        FrameError: If the frame is larger than a reader accepts.
    """
    header = _ENCODER.encode(frame.message)
    lengths = [memoryview(buffer).nbytes for buffer in frame.buffers]
    _check(len(header), lengths)
    prefix = _PREFIX.pack(MAGIC, len(header), len(lengths)) + struct.pack(f"<{len(lengths)}Q", *lengths)
    return [
        prefix + header,
        *(buffer for buffer, length in zip(frame.buffers, lengths, strict=True) if length),
    ]


def decode() -> Generator[int, Buffer, Frame]:
    """Reads one frame: yields how many bytes it needs next, is sent them, returns the frame.

    The buffers of the frame are views of the bytes that were sent.

    Raises:
        FrameError: If what was sent is no frame, or is larger than the limits.
    """
    magic, header_bytes, count = _PREFIX.unpack((yield _PREFIX.size))
    if magic != MAGIC:
        raise FrameError(f"a frame begins with {MAGIC!r}, not with {magic!r}")
    _check(header_bytes, [0] * min(count, MAX_BUFFERS + 1))
    head = memoryview((yield count * _LENGTH_BYTES + header_bytes))
    lengths = struct.unpack_from(f"<{count}Q", head)
    _check(header_bytes, lengths)
    message = _message(head[count * _LENGTH_BYTES :])
    body = memoryview((yield sum(lengths)) if any(lengths) else b"")
    ends = list(itertools.accumulate(lengths, initial=0))
    return Frame(message, tuple(body[start:end] for start, end in itertools.pairwise(ends)))


def _message(header: memoryview) -> Message:
    try:
        message: Message = _DECODER.decode(header)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise FrameError(f"the header of a frame is no message: {error}") from error
    return message


def _check(header_bytes: int, lengths: Sequence[int]) -> None:
    for what, value, limit in (
        ("header bytes", header_bytes, MAX_HEADER_BYTES),
        ("buffers", len(lengths), MAX_BUFFERS),
        ("bytes of buffers", sum(lengths), MAX_BODY_BYTES),
    ):
        if value > limit:
            raise FrameError(f"a frame has {value} {what}; the limit is {limit}")
