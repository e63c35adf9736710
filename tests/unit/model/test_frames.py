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
from pullback_server.model.evaluation import Buffer, Kind, Timing
from pullback_server.model.frames import (
    MAGIC,
    MAX_BODY_BYTES,
    MAX_BUFFERS,
    MAX_HEADER_BYTES,
    Frame,
    FrameError,
    decode,
    encode,
)
from pullback_server.model.messages import (
    Compile,
    Compiled,
    Evaluate,
    Evaluated,
    Failed,
    LoadProgram,
    Message,
    ProgramLoaded,
    ProgramMissing,
    Ready,
)
from pullback_server.model.quantities import Mode, Quantity, Want

F64, C64 = TensorType(ElementType.F64, (2, 3)), TensorType(ElementType.C64, ())
WANTS = (Want(Quantity.JACOBIAN, Mode.FORWARD, 0, (1, 0)), Want(Quantity.DERIVATIVE, Mode.PLANNED, 3, (0,)))
MESSAGES: list[Message] = [
    LoadProgram(1, "ab", b"\x00\xffprogram"),
    ProgramLoaded(2, (F64, C64)),
    Compile(3, "ab", WANTS, 7, (0, 2)),
    Compiled(4, cached=True),
    Evaluate(5, Kind("ab", WANTS, (F64,), (C64, F64), (), (True, False, True), 9), 4),
    Evaluated(6, ((F64, C64), ()), Timing(0.5, 0.25)),
    ProgramMissing(7),
    Failed(8, "SHAPE_MISMATCH", "no", {"argument": "x"}),
    Ready(WorkerDescription(Device("cuda", "H100", 3), {"jax": "0.10.2"})),
]


def read(data: bytes) -> tuple[Frame, int]:
    """Reads one frame from bytes; also says how many it took."""
    reader = decode()
    wanted, place = next(reader), 0
    while True:
        if place + wanted > len(data):
            raise EOFError
        piece = data[place : place + wanted]
        place += wanted
        try:
            wanted = reader.send(piece)
        except StopIteration as finished:
            return finished.value, place


def joined(frame: Frame) -> bytes:
    """All parts of a frame."""
    return b"".join(bytes(part) for part in encode(frame))


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_every_message_comes_back(message: Message) -> None:
    """Each message is read as it was written, in its types."""
    frame, _ = read(joined(Frame(message)))
    # Kinds are compared by identity.
    assert type(frame.message) is type(message)
    assert msgspec.to_builtins(frame.message) == msgspec.to_builtins(message)
    assert list(frame.buffers) == []


@given(st.lists(st.binary(max_size=50), max_size=6))
def test_buffers_come_back(buffers: Sequence[Buffer]) -> None:
    """Buffers of any number and length, zero as well, come back, and nothing after the frame is read."""
    data = joined(Frame(ProgramMissing(1), buffers))
    frame, taken = read(data + b"the next frame")
    assert [bytes(buffer) for buffer in frame.buffers] == buffers
    assert taken == len(data)


def test_arrays_are_buffers() -> None:
    """A buffer may be the memory of an array of any shape; it is not copied."""
    array = np.arange(6.0).reshape(2, 3)
    parts = encode(Frame(ProgramMissing(1), [array.data, np.zeros((0, 4)).data]))
    assert np.shares_memory(np.asarray(parts[1]), array)
    frame, _ = read(b"".join(bytes(part) for part in parts))
    assert [bytes(buffer) for buffer in frame.buffers] == [array.tobytes(), b""]


@given(st.binary(max_size=200))
def test_noise_is_refused(noise: bytes) -> None:
    """Bytes that are no frame end in FrameError, or want more bytes, and nothing else."""
    with pytest.raises((FrameError, EOFError)):
        read(noise)


@given(st.data())
def test_mutations_are_refused_or_read(data: st.DataObject) -> None:
    """A frame with one changed byte is refused, cut short, or read as some frame."""
    original = bytearray(joined(Frame(MESSAGES[4], [b"12345678", b""])))
    original[data.draw(st.integers(0, len(original) - 1))] = data.draw(st.integers(0, 255))
    try:
        frame, _ = read(bytes(original))
    except (FrameError, EOFError):
        return
    assert isinstance(frame, Frame)


@pytest.mark.parametrize(
    ("header", "buffers"), [(MAX_HEADER_BYTES + 1, 0), (0, MAX_BUFFERS + 1), (0xFFFFFFFF, 0xFFFFFFFF)]
)
def test_hostile_prefix(header: int, buffers: int) -> None:
    """A prefix over the limits is refused before anything is asked for."""
    reader = decode()
    assert next(reader) == 12
    with pytest.raises(FrameError, match="the limit is"):
        reader.send(struct.pack("<4sII", MAGIC, header, buffers))


@pytest.mark.parametrize("lengths", [(MAX_BODY_BYTES + 1,), (MAX_BODY_BYTES, 1), ((1 << 64) - 1,)])
def test_hostile_buffers(lengths: tuple[int, ...]) -> None:
    """Buffers over the limit are refused before their bytes are asked for."""
    reader = decode()
    next(reader)
    assert reader.send(struct.pack("<4sII", MAGIC, 1, len(lengths))) == 8 * len(lengths) + 1
    with pytest.raises(FrameError, match="bytes of buffers; the limit is"):
        reader.send(struct.pack(f"<{len(lengths)}Q", *lengths) + b"\xc0")


def test_wrong_magic() -> None:
    """What begins otherwise is refused at once."""
    with pytest.raises(FrameError, match="HTTP"):
        read(b"HTTP/1.1 400 Bad Request")


def test_too_large_to_write() -> None:
    """A frame that no reader would accept is not written."""
    with pytest.raises(FrameError, match="buffers"):
        encode(Frame(ProgramMissing(1), [b"1"] * (MAX_BUFFERS + 1)))
