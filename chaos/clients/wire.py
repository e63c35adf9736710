"""A stream without the client library, which might mend what is to be seen: lost and doubled answers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

import grpc
import numpy as np

from chaos.functions import WAVE, Array
from pullback.v1 import evaluation_pb2, tensor_pb2

_METHOD: Final = "/pullback.v1.EvaluationService/EvaluateStream"
_SECONDS: Final = 300.0
_PAUSE_SECONDS: Final = 0.5
_PASSING: Final = {grpc.StatusCode.UNAVAILABLE}
_PASSING_REASONS: Final = {"OVERLOADED", "TENANT_OVERLOADED", "NOT_READY"}


class StreamError(Exception):
    """An answer came twice, or was none, or did not come."""


def gradients(address: str, token: str | None, xs: Array, ys: Array) -> tuple[Array, int]:
    """Gradients of a wave at many points by one stream, opened again while the server is away.

    Returns:
        The gradients, and how often a stream broke off.

    Raises:
        StreamError: If a stream gives an answer twice, one that was not asked for, or an error.
        grpc.RpcError: If the stream fails for good.
    """
    answers: dict[int, Array] = {}
    deadline, reopened = time.monotonic() + _SECONDS, 0
    while len(answers) < len(xs):
        before = len(answers)
        try:
            _once(address, token, (xs, ys), answers)
        except grpc.RpcError as error:
            if error.code() not in _PASSING or time.monotonic() > deadline:
                raise
            reopened += 1
            time.sleep(_PAUSE_SECONDS)
            continue
        if len(answers) == before:
            if time.monotonic() > deadline:
                raise StreamError(f"{len(xs) - before} answers did not come")
            time.sleep(_PAUSE_SECONDS)
    return np.stack([answers[id_] for id_ in range(len(xs))]), reopened


def _once(address: str, token: str | None, points: tuple[Array, Array], answers: dict[int, Array]) -> None:
    """Asks on one stream for what is not answered yet."""
    asked = [id_ for id_ in range(len(points[0])) if id_ not in answers]
    seen: set[int] = set()
    metadata = (("authorization", f"Bearer {token}"),) if token else ()
    with grpc.insecure_channel(address) as channel:
        call = channel.stream_stream(
            _METHOD,
            request_serializer=evaluation_pb2.EvaluateStreamRequest.SerializeToString,
            response_deserializer=evaluation_pb2.EvaluateStreamResponse.FromString,
        )
        for answer in call(_requests(asked, *points), metadata=metadata, timeout=_SECONDS):
            if answer.id in seen or answer.id not in asked:
                raise StreamError(f"the answer {answer.id} came twice, or was not asked for")
            seen.add(answer.id)
            if answer.WhichOneof("outcome") == "response":
                (tensor,) = answer.response.results[0].tensors
                answers[answer.id] = np.frombuffer(tensor.data)
            elif not any(reason in str(answer.error) for reason in _PASSING_REASONS):
                raise StreamError(f"the answer {answer.id} is an error: {answer.error.message}")
    if seen != set(asked):
        raise StreamError(f"{len(asked) - len(seen)} answers did not come on a stream that ended well")


def _requests(ids: list[int], xs: Array, ys: Array) -> Iterator[evaluation_pb2.EvaluateStreamRequest]:
    for id_ in ids:
        request = evaluation_pb2.EvaluateRequest(
            function=f"functions/{WAVE}",
            wants=[evaluation_pb2.Want(quantity=evaluation_pb2.QUANTITY_GRADIENT)],
            arguments=[_tensor(xs[id_]), _tensor(ys[id_])],
        )
        yield evaluation_pb2.EvaluateStreamRequest(id=id_, request=request)


def _tensor(values: Array) -> tensor_pb2.Tensor:
    return tensor_pb2.Tensor(
        element_type=tensor_pb2.ELEMENT_TYPE_F64, shape=values.shape, data=values.tobytes()
    )
