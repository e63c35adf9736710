"""Messages of the generated classes as the codec's, to compare what both say."""

from __future__ import annotations

from google.protobuf.duration_pb2 import Duration

from pullback.codec.evaluation import Request, Response, Timing
from pullback.codec.tensors import Shared, Tensor
from pullback.v1 import evaluation_pb2 as pb
from pullback.v1 import tensor_pb2


def request_of(message: pb.EvaluateRequest) -> Request:
    """A request with its head as the generated class writes it."""
    return Request(
        pb.EvaluateRequest(function=message.function, wants=message.wants).SerializeToString(),
        tuple(map(tensor_of, message.arguments)),
        tuple(map(tensor_of, message.tangents)),
        tuple(map(tensor_of, message.cotangents)),
        shared_of(message.results) if message.HasField("results") else None,
    )


def known(request: Request) -> Request:
    """A request whose head is what the generated class makes of it, without unknown fields."""
    head = pb.EvaluateRequest.FromString(request.head)
    head.DiscardUnknownFields()
    return request._replace(head=head.SerializeToString())


def response_of(message: pb.EvaluateResponse) -> Response:
    """A response."""
    timing = message.timing
    spans = (timing.total, timing.compile, timing.execute, timing.queue)
    total, compile_, execute, queue = map(seconds, spans)
    return Response(
        message.revision,
        Timing(total, compile_, execute, queue, timing.batch, timing.padding),
        tuple(tuple(map(tensor_of, result.tensors)) for result in message.results),
    )


def tensor_of(message: tensor_pb2.Tensor) -> Tensor:
    """A tensor."""
    place = shared_of(message.shared) if message.HasField("shared") else None
    return Tensor(message.element_type, tuple(message.shape), message.data, place)


def shared_of(message: tensor_pb2.SharedMemory) -> Shared:
    """A place in shared memory."""
    return Shared(message.segment, message.offset, message.length)


def seconds(message: Duration) -> float:
    """A duration in seconds."""
    return message.seconds + message.nanos / 1e9
