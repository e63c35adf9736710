"""Random messages of the generated classes, and the same messages as other writers may write them."""

from __future__ import annotations

from collections.abc import Iterable

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from hypothesis import strategies as st

from pullback.v1 import errors_pb2, tensor_pb2
from pullback.v1 import evaluation_pb2 as pb

_U64 = st.integers(0, 2**64 - 1)
_I64 = st.integers(-(2**63), 2**63 - 1)
_ENUM = st.integers(-(2**31), 2**31 - 1)
_TEXT = st.text(max_size=12)
_MESSAGE = FieldDescriptor.TYPE_MESSAGE
_LENGTH_DELIMITED = (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES, FieldDescriptor.TYPE_MESSAGE)

shared = st.builds(tensor_pb2.SharedMemory, segment=_U64, offset=_U64, length=_U64)
tensors = st.builds(
    tensor_pb2.Tensor,
    element_type=st.integers(0, 28) | _ENUM,
    shape=st.lists(st.integers(0, 300) | _I64, max_size=4),
    data=st.binary(max_size=200),
    shared=st.none() | shared,
)
_wants = st.builds(
    pb.Want,
    quantity=_ENUM,
    mode=_ENUM,
    order=st.integers(0, 2**32 - 1),
    argnums=st.lists(st.integers(0, 300), max_size=3),
    modes=st.lists(st.integers(0, 2), max_size=3),
    directions=st.none() | st.integers(0, 300),
    sparse=st.booleans(),
)
requests = st.builds(
    pb.EvaluateRequest,
    function=_TEXT,
    wants=st.lists(_wants, max_size=3),
    arguments=st.lists(tensors, max_size=3),
    tangents=st.lists(tensors, max_size=2),
    cotangents=st.lists(tensors, max_size=2),
    results=st.none() | shared,
)
_durations = st.builds(
    Duration,
    seconds=st.just(0) | st.integers(-(2**40), 2**40),
    nanos=st.integers(0, 999_999_999) | st.integers(-(2**31), 2**31 - 1),
)
_timings = st.builds(
    pb.Timing,
    total=st.none() | _durations,
    compile=st.none() | _durations,
    execute=st.none() | _durations,
    queue=st.none() | _durations,
    batch=_I64,
    padding=_I64,
)
_results = st.builds(pb.Result, tensors=st.lists(tensors, max_size=3))
responses = st.builds(
    pb.EvaluateResponse,
    revision=_TEXT,
    timing=st.none() | _timings,
    results=st.lists(_results, max_size=3),
)
stream_requests = st.builds(pb.EvaluateStreamRequest, id=_U64, request=requests)
_statuses = st.builds(errors_pb2.Status, code=st.integers(0, 16), message=_TEXT)
stream_responses = st.builds(pb.EvaluateStreamResponse, id=_U64, response=responses) | st.builds(
    pb.EvaluateStreamResponse, id=_U64, error=_statuses
)
_unknown = st.sampled_from(
    [
        b"\xf8\x01\x96\x01",
        b"\xf9\x01" + bytes(8),
        b"\xfa\x01\x03abc",
        b"\xfd\x01" + bytes(4),
        b"\x7d\x00\x00\x00\x00",
    ]
)


@st.composite
def rewritten(draw: st.DrawFn, message: Message) -> bytes:
    """A message on the wire: its fields in any order, split, unpacked, written twice, among unknown ones."""
    rows = [_occurrences(draw, message, field, value) for field, value in message.ListFields()]
    rows += [[draw(_unknown)] for _ in range(draw(st.integers(0, 2)))]
    order = draw(st.permutations([number for number, row in enumerate(rows) for _ in row]))
    rest = [iter(row) for row in rows]
    return b"".join(next(rest[number]) for number in order)


def _occurrences(draw: st.DrawFn, message: Message, field: FieldDescriptor, value: object) -> list[bytes]:
    """The occurrences of one field, which keep their order."""
    if field.is_repeated:
        assert isinstance(value, Iterable)
        if field.type in _LENGTH_DELIMITED:
            return [_delimited(field, draw(rewritten(each))) for each in value]
        return [_numbers(draw, message, field, [each]) for each in value]
    if field.type == _MESSAGE:
        whole = draw(rewritten(value)) if draw(st.booleans()) else value.SerializeToString()  # type: ignore[attr-defined]
        again = [value.SerializeToString()] if field.name in _SAME_TWICE and draw(st.booleans()) else []  # type: ignore[attr-defined]
        return [_delimited(field, raw) for raw in (*again, whole)]
    once = type(message)(**{field.name: value}).SerializeToString()
    return [once, once] if draw(st.booleans()) else [once]


def _numbers(draw: st.DrawFn, message: Message, field: FieldDescriptor, values: list[int]) -> bytes:
    packed = type(message)(**{field.name: values}).SerializeToString()
    # A packed field of few numbers: the tag, the length, the numbers.
    return packed if draw(st.booleans()) else bytes([packed[0] & 0xF8]) + packed[2:]


def _delimited(field: FieldDescriptor, raw: bytes) -> bytes:
    return varint(field.number << 3 | 2) + varint(len(raw)) + raw


def varint(value: int) -> bytes:
    """A number as protobuf writes it."""
    low = value & 0x7F
    return bytes([low]) if value < 0x80 else bytes([low | 0x80]) + varint(value >> 7)


# Fields without repeated ones inside: what joins two occurrences of them is what one of them has.
_SAME_TWICE = frozenset({"shared", "results", "timing", "total", "compile", "execute", "queue"})
