"""The codec against the generated classes, in both directions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from google.protobuf.message import DecodeError
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from unit.codec import messages
from unit.codec.contents import known, request_of, response_of

from pullback.codec.evaluation import (
    CodecError,
    Request,
    Response,
    Timing,
    decode_request,
    decode_response,
    decode_stream_request,
    decode_stream_response,
    encode_request,
    encode_response,
    encode_stream_request,
    encode_stream_response,
)
from pullback.codec.tensors import Tensor
from pullback.v1 import errors_pb2
from pullback.v1 import evaluation_pb2 as pb


def _outcome_of(message: pb.EvaluateStreamResponse) -> Response | bytes:
    error = message.error.SerializeToString()
    return error if message.WhichOneof("outcome") == "error" else response_of(message.response)


def _known_outcome(outcome: Response | bytes) -> Response | bytes:
    if isinstance(outcome, Response):
        return outcome
    status = errors_pb2.Status.FromString(outcome)
    status.DiscardUnknownFields()
    return status.SerializeToString()


def _read_request(raw: bytes) -> Request:
    return known(decode_request(raw))


def _read_stream_request(raw: bytes) -> tuple[int, Request]:
    id_, request = decode_stream_request(raw)
    return id_, known(request)


def _read_stream_response(raw: bytes) -> tuple[int, Response | bytes]:
    id_, outcome = decode_stream_response(raw)
    return id_, _known_outcome(outcome)


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of message: random ones, the generated class, the codec's reader, and what it must read."""

    messages: st.SearchStrategy[Any]
    generated: type[Any]
    read: Callable[[bytes], object]
    content: Callable[[Any], object]

    def expected(self, raw: bytes) -> object:
        """What the generated class reads."""
        message = self.generated.FromString(raw)
        message.DiscardUnknownFields()
        return self.content(message)


_KINDS = {
    "request": _Kind(messages.requests, pb.EvaluateRequest, _read_request, request_of),
    "response": _Kind(messages.responses, pb.EvaluateResponse, decode_response, response_of),
    "stream-request": _Kind(
        messages.stream_requests,
        pb.EvaluateStreamRequest,
        _read_stream_request,
        lambda message: (message.id, request_of(message.request)),
    ),
    "stream-response": _Kind(
        messages.stream_responses,
        pb.EvaluateStreamResponse,
        _read_stream_response,
        lambda message: (message.id, _outcome_of(message)),
    ),
}
# How long a message takes to draw says something about the machine only.
_unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
# What the generated classes take, and the codec does not.
_STRICTER = ("not of proto3", "neither a response", "both a response", "axes")
_each_kind = pytest.mark.parametrize("kind", _KINDS.values(), ids=_KINDS)


@_each_kind
@_unhurried
@given(data=st.data())
def test_reads_what_the_generated_class_writes(kind: _Kind, data: st.DataObject) -> None:
    """A message of the generated class is read with all that it says."""
    message = data.draw(kind.messages)
    assert kind.read(message.SerializeToString()) == kind.content(message)


@_each_kind
@_unhurried
@given(data=st.data())
def test_reads_what_other_writers_write(kind: _Kind, data: st.DataObject) -> None:
    """Any order of fields, unknown ones, packed or not, written twice: what the generated class reads."""
    raw = data.draw(messages.rewritten(data.draw(kind.messages)))
    assert kind.read(raw) == kind.expected(raw)


@_each_kind
@_unhurried
@given(data=st.data())
def test_reads_occurrences_of_a_message_as_one(kind: _Kind, data: st.DataObject) -> None:
    """Two serialized messages in a row are their union, as protobuf says."""
    raw = b"".join(data.draw(kind.messages).SerializeToString() for _ in range(2))
    try:
        assert kind.read(raw) == kind.expected(raw)
    except CodecError as error:
        assume("both a response and an error" not in str(error))
        raise


@_each_kind
@_unhurried
@given(data=st.data())
def test_refuses_or_agrees(kind: _Kind, data: st.DataObject) -> None:
    """Of damaged messages, what the generated class refuses is refused; what is accepted says the same."""
    raw = data.draw(_damaged(data.draw(kind.messages).SerializeToString()))
    try:
        expected = kind.expected(raw)
    except DecodeError:
        with pytest.raises((CodecError, DecodeError)):
            kind.read(raw)
        return
    try:
        found = kind.read(raw)
    except CodecError as error:
        assert any(sentence in str(error) for sentence in _STRICTER)  # noqa: PT017 -- the exception is rare
    else:
        assert found == expected


@_unhurried
@given(message=messages.requests)
def test_requests_are_read_by_the_generated_class(message: pb.EvaluateRequest) -> None:
    """A request that the codec writes is the same message."""
    assert pb.EvaluateRequest.FromString(encode_request(request_of(message))) == message


@_unhurried
@given(id_=st.integers(0, 2**64 - 1), message=messages.requests)
def test_stream_requests_are_read_by_the_generated_class(id_: int, message: pb.EvaluateRequest) -> None:
    """A request of a stream that the codec writes is the same message."""
    written = encode_stream_request(id_, request_of(message))
    assert pb.EvaluateStreamRequest.FromString(written) == pb.EvaluateStreamRequest(id=id_, request=message)


_spans = st.just(0.0) | st.floats(0, 1e5)
_timings = st.builds(Timing, _spans, _spans, _spans, _spans, st.integers(0, 2**40), st.integers(0, 2**40))


@_unhurried
@given(message=messages.responses, timing=_timings, id_=st.integers(0, 2**64 - 1))
def test_responses_are_read_by_the_generated_class(
    message: pb.EvaluateResponse, timing: Timing, id_: int
) -> None:
    """A response that the codec writes says the same, its times to half a nanosecond."""
    response = response_of(message)._replace(timing=timing)
    read = pb.EvaluateResponse.FromString(encode_response(response))
    streamed = pb.EvaluateStreamResponse.FromString(encode_stream_response(id_, response))
    assert (streamed.id, streamed.response) == (id_, read)
    found = response_of(read)
    assert found._replace(timing=timing) == response
    assert found.timing == pytest.approx(timing, rel=1e-15, abs=0.51e-9)


@_unhurried
@given(id_=st.integers(0, 2**64 - 1), code=st.integers(0, 16), sentence=st.text())
def test_errors_of_streams_are_read_by_the_generated_class(id_: int, code: int, sentence: str) -> None:
    """A status travels as it is."""
    status = errors_pb2.Status(code=code, message=sentence)
    written = encode_stream_response(id_, status.SerializeToString())
    assert pb.EvaluateStreamResponse.FromString(written) == pb.EvaluateStreamResponse(id=id_, error=status)


def test_elements_are_not_copied() -> None:
    """The elements of a tensor that was read are a slice of what came in."""
    raw = encode_request(Request(b"", (Tensor(15, (0, 3)), Tensor(15, (2,), bytes(range(16))))))
    empty, full = decode_request(raw).arguments
    assert (empty.shape, len(empty.data)) == ((0, 3), 0)
    assert isinstance(full.data, memoryview)
    assert full.data.obj is raw


def test_any_buffer_is_read() -> None:
    """A message may lie in a bytearray or a memoryview."""
    response = Response("functions/f/revisions/d", Timing(1.5), ((Tensor(14, (2,), b"abcdefgh"),),))
    raw = encode_response(response)
    assert decode_response(bytearray(raw)) == decode_response(memoryview(raw)) == response


def test_occurrences_of_an_outcome_are_one() -> None:
    """Two responses in a row are their union; a response and an error are none."""
    first = encode_stream_response(7, Response("first", Timing(), ((),)))
    last = encode_stream_response(7, Response("", Timing(queue=2.0), ((),)))
    assert decode_stream_response(first + last) == (7, Response("first", Timing(queue=2.0), ((), ())))
    error = encode_stream_response(7, errors_pb2.Status(code=3).SerializeToString())
    assert decode_stream_response(error) == (7, b"\x08\x03")
    with pytest.raises(CodecError, match="both a response and an error"):
        decode_stream_response(first + error)


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"\x1a", "inside a number"),
        (b"\x1a\x05\x08", "a field of 5 bytes begins at byte 2, but its message ends at byte 3"),
        (b"\x1a\xff\xff\xff\xff\x0f", "a field of 4294967295 bytes"),
        (b"\x1a\x02\x12\x05\x00\x00\x00", "a field of 5 bytes"),
        (b"\x33\x34", "not of proto3"),
        (b"\x00\x01", "no field begins"),
        (b"\x38" + b"\xff" * 10 + b"\x01", "longer than it may be"),
        (b"\x1a\x02\x10\xff\x01", "inside a field"),
        (b"\x1a\x81\x08\x12\xfe\x07" + bytes(1022), "axes"),
        (b"\x1a\x03\x12\x01\x80", "inside a number"),
    ],
)
def test_malformed_messages_are_refused(raw: bytes, sentence: str) -> None:
    """What is no request is refused with a sentence that says why."""
    with pytest.raises(CodecError, match=sentence):
        decode_request(raw)


def test_an_answer_without_outcome_is_refused() -> None:
    """An answer of a stream that says nothing is none."""
    with pytest.raises(CodecError, match="neither a response nor an error"):
        decode_stream_response(b"\x08\x07")


@st.composite
def _damaged(draw: st.DrawFn, raw: bytes) -> bytes:
    """A message cut short, or with bytes changed, or some put in or taken out."""
    damaged = bytearray(raw)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(damaged)))
        match draw(st.integers(0, 3)):
            case 0:
                del damaged[at:]
            case 1:
                damaged[at : at + 1] = draw(st.binary(min_size=1, max_size=1))
            case 2:
                damaged[at:at] = draw(st.binary(max_size=12))
            case _:
                del damaged[at : at + draw(st.integers(0, 5))]
    return bytes(damaged)
