"""Makes messages of the model: functions, outcomes, devices."""

from __future__ import annotations

import math
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from pullback.codec.evaluation import Response, Timing
from pullback.codec.tensors import Shared
from pullback.codec.tensors import Tensor as CodecTensor
from pullback.program.derivatives import DerivativeKind, DerivativeSupport
from pullback.program.wire import element_to_wire, producer_to_wire, signature_to_wire
from pullback.v1 import capabilities_pb2, functions_pb2
from pullback_server.model.devices import WorkerDescription
from pullback_server.model.evaluation import Outcome, Tensor
from pullback_server.model.functions import Registered, Revision
from pullback_server.registry.names import function_name, key_of, revision_name

_KINDS: Final = {
    DerivativeKind.FORWARD: functions_pb2.DERIVATIVE_KIND_FORWARD,
    DerivativeKind.REVERSE: functions_pb2.DERIVATIVE_KIND_REVERSE,
    DerivativeKind.SECOND_ORDER: functions_pb2.DERIVATIVE_KIND_SECOND_ORDER,
}


def function_to_wire(
    registered: Registered, home: str = "", *, with_grants: bool = True
) -> functions_pb2.Function:
    """The message of a function at a revision.

    Args:
        registered: The function.
        home: The tenant of whoever reads it, whose functions have short names.
        with_grants: Whether it tells to whom the function is granted.
    """
    function, revision = registered.function, registered.revision
    key = key_of(function)
    return functions_pb2.Function(
        name=function_name(key, home),
        revision=revision_name(key, revision.digest, home),
        signature=signature_to_wire(registered.signature),
        labels=function.labels,
        description=function.description,
        create_time=timestamp(revision.created),
        revisions=[
            _revision_to_wire(revision_name(key, each.digest, home), each) for each in function.revisions
        ],
        format=revision.format,
        producer=producer_to_wire(registered.producer),
        derivatives=map(_support_to_wire, revision.derivatives),
        grants=function.grants if with_grants else (),
    )


def response_of(revision: str, outcome: Outcome, total: float) -> Response:
    """The response that tells an outcome.

    Args:
        revision: The name of the revision that was evaluated.
        outcome: What came of it.
        total: The time since the request's arrival, in seconds.
    """
    spent = outcome.timing
    timing = Timing(total, spent.compile, spent.execute, spent.queue, spent.batch, spent.padding)
    return Response(revision, timing, tuple([tuple(map(_tensor, tensors)) for tensors in outcome.results]))


def _tensor(tensor: Tensor) -> CodecTensor:
    element, shape, place = element_to_wire(tensor.type.element), tensor.type.shape, tensor.place
    if place is None:
        return CodecTensor(element, shape, tensor.data, None)
    return CodecTensor(element, shape, b"", Shared(place.segment.number, place.offset, place.nbytes))


def device_to_wire(worker: WorkerDescription) -> capabilities_pb2.Device:
    """The message of a worker's device."""
    device = worker.device
    return capabilities_pb2.Device(
        platform=device.platform, kind=device.kind, ordinal=device.ordinal, confined=worker.confined
    )


def _revision_to_wire(name: str, revision: Revision) -> functions_pb2.Revision:
    return functions_pb2.Revision(
        name=name,
        create_time=timestamp(revision.created),
        format=revision.format,
    )


def _support_to_wire(support: DerivativeSupport) -> functions_pb2.DerivativeSupport:
    return functions_pb2.DerivativeSupport(
        kind=_KINDS[support.kind], supported=support.supported, reason=support.reason
    )


def timestamp(seconds: float) -> Timestamp:
    """A time in seconds since 1970 as a message."""
    rest, whole = math.modf(seconds)
    return Timestamp(seconds=int(whole), nanos=int(rest * 1_000_000_000))
