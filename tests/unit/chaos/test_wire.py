"""A stream without the client library: answers that are doubled or lost are seen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
import numpy as np
import pytest

from chaos.clients import wire
from chaos.clients.wire import StreamError, gradients
from pullback.v1 import evaluation_pb2, tensor_pb2

Answers = Iterator[evaluation_pb2.EvaluateStreamResponse]
Requests = Iterator[evaluation_pb2.EvaluateStreamRequest]
XS, YS = np.arange(18.0).reshape(3, 6), np.ones((3, 6))


@contextmanager
def answering(behaviour: Callable[[Requests, Any], Answers]) -> Iterator[str]:
    """A server of gRPC whose streams behave like this."""
    handler = grpc.stream_stream_rpc_method_handler(
        behaviour,
        request_deserializer=evaluation_pb2.EvaluateStreamRequest.FromString,
        response_serializer=evaluation_pb2.EvaluateStreamResponse.SerializeToString,
    )
    services = grpc.method_handlers_generic_handler(
        "pullback.v1.EvaluationService", {"EvaluateStream": handler}
    )
    server = grpc.server(ThreadPoolExecutor(2), handlers=[services])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


def answers(requests: Iterable[evaluation_pb2.EvaluateStreamRequest]) -> Answers:
    """Each request's first argument, doubled."""
    for each in requests:
        values = 2 * np.frombuffer(each.request.arguments[0].data)
        tensor = tensor_pb2.Tensor(data=values.tobytes())
        response = evaluation_pb2.EvaluateResponse(results=[evaluation_pb2.Result(tensors=[tensor])])
        yield evaluation_pb2.EvaluateStreamResponse(id=each.id, response=response)


def test_answers() -> None:
    """Each answer goes to its own point, in whatever order they come."""

    def backwards(requests: Requests, _: Any) -> Answers:
        yield from reversed(list(answers(requests)))

    with answering(backwards) as address:
        found, reopened = gradients(address, None, XS, YS)
    np.testing.assert_array_equal(found, 2 * XS)
    assert reopened == 0


def test_a_stream_that_breaks_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """What has no answer yet is asked for again, and the breaking off is counted."""
    monkeypatch.setattr(wire, "_PAUSE_SECONDS", 0.01)
    asked: list[list[int]] = []

    def one_at_a_time(requests: Requests, context: grpc.ServicerContext) -> Answers:
        waiting = list(requests)
        asked.append([each.id for each in waiting])
        yield from answers(waiting[:1])
        if len(waiting) > 1:
            context.abort(grpc.StatusCode.UNAVAILABLE, "the server goes")

    with answering(one_at_a_time) as address:
        found, reopened = gradients(address, None, XS, YS)
    np.testing.assert_array_equal(found, 2 * XS)
    assert (asked, reopened) == ([[0, 1, 2], [1, 2], [2]], 2)


def test_an_answer_that_comes_twice() -> None:
    """It is an error, although each point has its answer."""

    def doubling(requests: Requests, _: Any) -> Answers:
        for answer in answers(requests):
            yield from (answer, answer)

    with answering(doubling) as address, pytest.raises(StreamError, match="came twice"):
        gradients(address, None, XS, YS)


def test_an_answer_that_is_lost() -> None:
    """A stream that ends well without it is an error."""

    def losing(requests: Requests, _: Any) -> Answers:
        yield from list(answers(requests))[1:]

    with answering(losing) as address, pytest.raises(StreamError, match="1 answers did not come"):
        gradients(address, None, XS, YS)
