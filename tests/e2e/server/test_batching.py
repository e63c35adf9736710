"""Batching in a real server: requests that wait travel together, and each gets its own answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import grpc
import numpy as np
import pytest
from e2e.server.running import Running, Start, array, formula, request

from pullback.v1 import evaluation_pb2

Answer = evaluation_pb2.EvaluateResponse
GENERATOR = np.random.default_rng(7)


def begin(server: Running, requests: Iterable[evaluation_pb2.EvaluateRequest]) -> list[Any]:
    """Sends all requests at once, without waiting for answers."""
    call = server.channel.unary_unary(
        "/pullback.v1.EvaluationService/Evaluate",
        request_serializer=evaluation_pb2.EvaluateRequest.SerializeToString,
        response_deserializer=Answer.FromString,
    )
    return [call.future(each, timeout=60) for each in requests]


def answers(server: Running, requests: Iterable[evaluation_pb2.EvaluateRequest]) -> list[Answer]:
    """The answers to requests that are sent at once."""
    return [future.result() for future in begin(server, requests)]


def leaf(answer: Answer) -> np.ndarray[Any, Any]:
    """The only leaf of an answer's only result."""
    (tensor,) = answer.results[0].tensors
    return array(tensor)


def until_joined(server: Running, requests: Sequence[evaluation_pb2.EvaluateRequest]) -> list[Answer]:
    """Answers to a crowd, repeated until some travelled together: what they need compiles meanwhile."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        crowd = answers(server, requests)
        if any(answer.timing.batch for answer in crowd):
            return crowd
    pytest.fail("no requests travelled together")


def test_a_crowd_is_joined(server: Running) -> None:
    """Points of many callers run in few batches, and each caller gets its own gradient."""
    points = GENERATOR.standard_normal((150, 3))
    crowd = until_joined(server, [request("square", "GRADIENT", point) for point in points])
    for point, answer in zip(points, crowd, strict=True):
        np.testing.assert_allclose(leaf(answer), 2 * point, rtol=1e-15)
        timing = answer.timing
        assert 0 <= timing.padding < max(timing.batch, 1)
        assert timing.total.ToTimedelta() >= timing.queue.ToTimedelta()
    joined = [answer.timing for answer in crowd if answer.timing.batch]
    assert any(timing.queue.nanos for timing in joined)


def test_mixed_kinds_keep_apart(server: Running) -> None:
    """Points, batches, shared inputs and other functions, all at once and in any order."""
    tasks: list[tuple[evaluation_pb2.EvaluateRequest, Callable[[], np.ndarray[Any, Any]]]] = []
    for number in range(60):
        x = GENERATOR.standard_normal(3)
        xs = GENERATOR.standard_normal((number % 3 + 1, 2))
        y = np.float64(number % 2 + 1)
        tasks += [
            (request("square", "GRADIENT", x), lambda x=x: 2 * x),
            (request("vector", "VALUE", x), lambda x=x: 2 * x),
            (request("two", "GRADIENT", xs, y, argnums=[1]), lambda xs=xs: xs.sum(1)),
            (request("two", "GRADIENT", xs[0], y), lambda y=y: np.full(2, y)),
            (request("two", "VALUE", xs[0], y), lambda xs=xs, y=y: xs[0].sum() * y),
        ]
    tasks = [tasks[number] for number in GENERATOR.permutation(len(tasks))]
    for _ in range(3):
        for (_, expected), answer in zip(tasks, answers(server, [task[0] for task in tasks]), strict=True):
            np.testing.assert_allclose(leaf(answer), expected(), rtol=1e-12, atol=1e-12)


def test_sizes_that_are_not_compiled_are_served_by_others(start: Start) -> None:
    """Once one size is compiled, batches of others do not wait for a compiler."""
    server = start()
    server.register("quartic", formula("sum(x**4)", x="f64[5]"))
    xs = GENERATOR.standard_normal((40, 5))
    (first,) = answers(server, [request("quartic", "GRADIENT", xs[:16])])
    assert first.timing.compile.ToNanoseconds() > 0
    for points in (1, 3, 11, 13, 40):
        (answer,) = answers(server, [request("quartic", "GRADIENT", xs[:points])])
        np.testing.assert_allclose(leaf(answer), 4 * xs[:points] ** 3, rtol=1e-14)
        assert answer.timing.compile.ToNanoseconds() == 0
        assert answer.timing.batch >= points
        assert answer.timing.batch == points + answer.timing.padding


def test_cancelled_callers_disturb_nobody(server: Running) -> None:
    """Callers that go away take nobody's answer with them."""
    points = GENERATOR.standard_normal((200, 3))
    futures = begin(server, [request("square", "GRADIENT", point) for point in points])
    for future in futures[::3]:
        future.cancel()
    for number, (point, future) in enumerate(zip(points, futures, strict=True)):
        if number % 3:
            np.testing.assert_allclose(leaf(future.result()), 2 * point, rtol=1e-15)
        elif future.cancelled():
            with pytest.raises(grpc.FutureCancelledError):
                future.result()


def test_a_crowd_survives_the_death_of_its_worker(server: Running) -> None:
    """Functions are pure: what a worker had in hand is repeated, joined or not."""
    points = GENERATOR.standard_normal((200, 3))
    futures = begin(server, [request("square", "GRADIENT", point) for point in points])
    futures[20].result()
    for worker in server.workers():
        worker.kill()
    for point, future in zip(points, futures, strict=True):
        np.testing.assert_allclose(leaf(future.result()), 2 * point, rtol=1e-15)


def test_joining_is_switched_off(start: Start) -> None:
    """Without room for two points, every request runs by itself."""
    server = start("--join-points=1")
    server.register("square", formula("sum(x**2)", x="f64[3]"))
    points = GENERATOR.standard_normal((100, 3))
    for _ in range(5):
        crowd = answers(server, [request("square", "GRADIENT", point) for point in points])
        assert {answer.timing.batch for answer in crowd} == {0}
