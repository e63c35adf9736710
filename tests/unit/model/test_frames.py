"""Frames: what is written is read back, whatever the pieces; what is no frame is refused unallocated."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pullback.program.elements import ElementType
from pullback.program.tensors import TensorType
from pullback_server.model.devices import Device, WorkerDescription
from pullback_server.model.evaluation import Buffer, Kind
from pullback_server.model.frames import (
    MAGIC,
    MAX_BODY_BYTES,
    MAX_BUFFERS,
    MAX_HEADER_BYTES,
    READ_BYTES,
    Frame,
    FrameError,
    FrameReader,
    encode,
)
from pullback_server.model.messages import (
    AttachSegment,
    Compile,
    Compiled,
    DefineKind,
    DetachSegment,
    Failed,
    ForgetKind,
    LoadProgram,
    Message,
    ProgramLoaded,
    ProgramMissing,
    Ran,
    Ready,
    Run,
    Warm,
)
from pullback_server.model.quantities import Mode, Quantity, Want

F64, C64 = TensorType(ElementType.F64, (2, 3)), TensorType(ElementType.C64, ())
WANTS = (Want(Quantity.JACOBIAN, Mode.FORWARD, 0, (1, 0)), Want(Quantity.DERIVATIVE, Mode.PLANNED, 3, (0,)))
MESSAGES: list[Message] = [
    LoadProgram(1, "ab", b"\x00\xffprogram"),
    ProgramLoaded(2, (F64, C64)),
    Compile(3, "ab", WANTS, 7, (0, 2)),
    Compiled(4, cached=True),
    DefineKind(5, Kind("ab", WANTS, (F64,), (C64, F64), (), (True, False, True), 9)),
    ForgetKind(5),
    AttachSegment((1 << 63) - 1, 1 << 40),
    DetachSegment(1),
    Warm(5, 7, None),
    Run(6, 5, None),
    Run(6, 5, 4, ((0, 64, 128), None), ((1 << 63) - 1, 1 << 40, 0)),
    Ran(6, msgspec.Raw(msgspec.msgpack.encode(((F64, C64), ()))), (64, None), 0.5, 0.25, 0.125, 8, 3),
    ProgramMissing(7),
    Failed(8, "SHAPE_MISMATCH", "no", {"argument": "x"}),
    Ready(WorkerDescription(Device("cuda", "H100", 3), {"jax": "0.10.2"})),
]


def read(data: bytes, piece: int = 1 << 30) -> list[Frame]:
    """Reads frames from bytes that come in pieces; all of the bytes must belong to one."""
    reader, frames = FrameReader(), []
    while data:
        count = min(len(reader.room), piece, len(data))
        reader.room[:count] = data[:count]
        data = data[count:]
        frames += reader.received(count)
    if reader.begun:
        raise EOFError
    return frames


def joined(frame: Frame) -> bytes:
    """All parts of a frame."""
    return b"".join(bytes(part) for part in encode(frame))


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_every_message_comes_back(message: Message) -> None:
    """Each message is read as it was written, in its types."""
    (frame,) = read(joined(Frame(message)))
    # Kinds are compared by identity.
    assert type(frame.message) is type(message)
    assert msgspec.msgpack.encode(frame.message) == msgspec.msgpack.encode(message)
    assert list(frame.buffers) == []


@given(st.lists(st.binary(max_size=50), max_size=6))
def test_buffers_come_back(buffers: Sequence[Buffer]) -> None:
    """Buffers of any number and length, zero as well, come back, and nothing after the frame is read."""
    frames = read(joined(Frame(ProgramMissing(1), buffers)) + joined(Frame(ProgramMissing(2), buffers[1:])))
    assert [[bytes(buffer) for buffer in frame.buffers] for frame in frames] == [buffers, buffers[1:]]
    assert [frame.message for frame in frames] == [ProgramMissing(1), ProgramMissing(2)]


@given(
    st.lists(st.lists(st.integers(0, READ_BYTES // 2), max_size=4), min_size=1, max_size=6),
    st.integers(1000, 2 * READ_BYTES),
)
def test_pieces_of_any_size(sizes: list[list[int]], piece: int) -> None:
    """Frames smaller and larger than the room come back whatever the pieces, and stay as they were."""
    sent = [
        [bytes([10 * row + column]) * size for column, size in enumerate(row_sizes)]
        for row, row_sizes in enumerate(sizes)
    ]
    data = b"".join(joined(Frame(ProgramMissing(row), buffers)) for row, buffers in enumerate(sent))
    frames = read(data, piece)
    assert [frame.message for frame in frames] == [ProgramMissing(row) for row in range(len(sent))]
    assert all(
        bytes(found) == expected
        for frame, buffers in zip(frames, sent, strict=True)
        for found, expected in zip(frame.buffers, buffers, strict=True)
    )


def test_one_byte_at_a_time() -> None:
    """A stream that trickles is read as well."""
    data = b"".join(joined(Frame(message, [b"abc", b""])) for message in MESSAGES)
    assert [type(frame.message) for frame in read(data, 1)] == [type(message) for message in MESSAGES]


def test_many_buffers() -> None:
    """As many buffers as are allowed come back, also behind another frame."""
    buffers = [bytes([number % 251]) * (number % 3) for number in range(MAX_BUFFERS)]
    _, frame = read(
        joined(Frame(ProgramMissing(1), [bytes(700_000)])) + joined(Frame(ProgramMissing(2), buffers))
    )
    assert list(frame.buffers) == buffers


def test_small_frames_are_one_part() -> None:
    """What is small is written with one call; what is large is not copied."""
    small, large = np.arange(1000.0), np.arange(10_000.0)
    assert len(encode(Frame(ProgramMissing(1), [small.data, b"x"]))) == 1
    parts = encode(Frame(ProgramMissing(1), [small.data, b"", large.data]))
    assert np.shares_memory(np.asarray(parts[-1]), large)
    assert len(parts) == 3


def test_arrays_are_buffers() -> None:
    """A buffer may be the memory of an array of any shape, also of no element."""
    array = np.arange(6.0).reshape(2, 3)
    (frame,) = read(joined(Frame(ProgramMissing(1), [array.data, np.zeros((0, 4)).data])))
    assert [bytes(buffer) for buffer in frame.buffers] == [array.tobytes(), b""]


@given(st.binary(max_size=200))
def test_noise_is_refused(noise: bytes) -> None:
    """Bytes that are no frame end in FrameError, or want more bytes, and nothing else."""
    try:
        assert read(noise) == []
    except (FrameError, EOFError):
        return
    assert noise == b""


@given(st.data())
def test_mutations_are_refused_or_read(data: st.DataObject) -> None:
    """A frame with one changed byte is refused, cut short, or read as some frame."""
    original = bytearray(joined(Frame(MESSAGES[4], [b"12345678", b""])))
    original[data.draw(st.integers(0, len(original) - 1))] = data.draw(st.integers(0, 255))
    try:
        frames = read(bytes(original))
    except (FrameError, EOFError):
        return
    assert all(isinstance(frame, Frame) for frame in frames)


@pytest.mark.parametrize(
    ("header", "buffers"), [(MAX_HEADER_BYTES + 1, 0), (0, MAX_BUFFERS + 1), (0xFFFFFFFF, 0xFFFFFFFF)]
)
def test_hostile_prefix(header: int, buffers: int) -> None:
    """A prefix over the limits is refused before anything is asked for."""
    with pytest.raises(FrameError, match="the limit is"):
        read(struct.pack("<4sII", MAGIC, header, buffers))


@pytest.mark.parametrize("lengths", [(MAX_BODY_BYTES + 1,), (MAX_BODY_BYTES, 1), ((1 << 64) - 1,)])
def test_hostile_buffers(lengths: tuple[int, ...]) -> None:
    """Buffers over the limit are refused before there is room for them."""
    head = struct.pack(f"<4sII{len(lengths)}Q", MAGIC, 1, len(lengths), *lengths)
    with pytest.raises(FrameError, match="bytes of buffers; the limit is"):
        read(head)


def test_wrong_magic() -> None:
    """What begins otherwise is refused at once."""
    with pytest.raises(FrameError, match="HTTP"):
        read(b"HTTP/1.1 400 Bad Request")


def test_too_large_to_write() -> None:
    """A frame that no reader would accept is not written."""
    with pytest.raises(FrameError, match="buffers"):
        encode(Frame(ProgramMissing(1), [b"1"] * (MAX_BUFFERS + 1)))
