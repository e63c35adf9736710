"""Joined requests, and the parts of their responses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pullback._evaluation.calls import Call, build, in_order, only
from pullback._evaluation.inputs import Inputs
from pullback._evaluation.joining import (
    LARGEST_CALL,
    MOST_POINTS_OF_CALL,
    join,
    joinable,
    longest,
    may_be_one_s_fault,
    part,
)
from pullback._evaluation.plans import Plans
from pullback._evaluation.tensors import decode
from pullback._evaluation.wants import Want
from pullback.codec.evaluation import Response, Timing
from pullback.codec.tensors import Tensor
from pullback.errors import (
    InvalidArgumentError,
    OverloadedError,
    PullbackError,
    ServerError,
    UnavailableError,
)
from pullback.program.signature import Argument, Result, Signature
from pullback.program.tensors import parse_tensor_type
from pullback.program.trees import LEAF

F64 = 15


def signature_of(*types: str, result: str = "f64[]") -> Signature:
    """The signature of a function of arrays."""
    arguments = tuple(Argument(f"x{i}", LEAF, (parse_tensor_type(kind),)) for i, kind in enumerate(types))
    return Signature(arguments, Result(LEAF, (parse_tensor_type(result),)))


PLANS = Plans("functions/f/revisions/0", signature_of("f64[2,3]", "f64[]"))
X, Y = np.arange(6.0).reshape(2, 3), np.float64(7.0)


def grad(x: Any, y: Any) -> Call:
    """The call of a gradient."""
    return build(PLANS, ("value", "grad"), Inputs((x, y)), None, in_order)


def test_points_become_a_batch() -> None:
    """In order, each argument with one more axis."""
    calls = [grad(X + number, Y - number) for number in range(3)]
    request = join(calls)
    assert request.head == calls[0].request.head
    x, y = map(decode, request.arguments)
    np.testing.assert_array_equal(x, np.stack([X, X + 1, X + 2]))
    np.testing.assert_array_equal(y, [7.0, 6.0, 5.0])


def test_small_batches_travel_with_points() -> None:
    """What a batch shares stands once for each of its points."""
    xs = np.arange(12.0).reshape(2, 2, 3)
    x, y = map(decode, join([grad(X, Y), grad(xs, Y + 1), grad(X, np.array([1.0]))]).arguments)
    np.testing.assert_array_equal(x, np.concatenate([X[None], xs, X[None]]))
    np.testing.assert_array_equal(y, [7.0, 8.0, 8.0, 1.0])


def test_tangents_and_cotangents_are_joined_as_well() -> None:
    """Behind the points stand their directions."""
    tangents = np.ones((4, 2, 3))
    inputs = Inputs((X, Y), tangents=(tangents,), as_primals=True)
    call = build(PLANS, (Want("hvp", directions=4),), inputs, None, only)
    request = join([call, call])
    assert [tensor.shape for tensor in request.tangents] == [(2, 4, 2, 3)]
    call = build(PLANS, (Want("vjp"),), Inputs((X, Y), cotangents=1.0, as_primals=True), None, only)
    assert [tensor.shape for tensor in join([call] * 3).cotangents] == [(3,)]


def test_one_call_stays_as_it_is() -> None:
    """A single point is no batch of one."""
    call = grad(X, Y)
    assert join([call]) is call.request
    response = Response("r", Timing(), ())
    assert part(response, [call]) == [response]


def test_each_gets_its_own() -> None:
    """A point its point, a batch its batch, arrays of their own that can be written to."""
    calls = [grad(X, Y), grad(np.stack([X, X]), Y), grad(X, Y)]
    values, gradients = np.arange(4.0), np.arange(24.0).reshape(4, 2, 3)
    results = ((Tensor(F64, (4,), values.tobytes()),), (Tensor(F64, (4, 2, 3), gradients.tobytes()),))
    response = Response("r", Timing(1.0, 0.0, 0.5, 0.0, 4, 0), results)
    parts = part(response, calls)
    assert [each.timing.batch for each in parts] == [4, 4, 4]
    answers = [call.answer(each) for call, each in zip(calls, parts, strict=True)]
    for (value, gradient), place in zip(answers, (0, slice(1, 3), 3), strict=True):
        np.testing.assert_array_equal(value, values[place])
        np.testing.assert_array_equal(gradient, gradients[place])
        assert gradient.flags.writeable
        assert gradient.base is None


@pytest.mark.parametrize(("shape", "nbytes"), [((3,), 24), ((), 8), ((2,), 17)])
def test_a_result_of_other_points(shape: tuple[int, ...], nbytes: int) -> None:
    """An error of the server, not somebody else's numbers."""
    response = Response("r", Timing(), ((Tensor(F64, shape, bytes(nbytes)),),))
    with pytest.raises(ServerError, match="for 2 points"):
        part(response, [grad(X, Y)] * 2)


@pytest.mark.parametrize(
    ("points", "may"),
    [(None, True), (1, True), (MOST_POINTS_OF_CALL, True), (0, False), (MOST_POINTS_OF_CALL + 1, False)],
)
def test_what_may_be_joined(points: int | None, may: bool) -> None:
    """Points and small batches; an empty one has nothing to travel with."""
    x = X if points is None else np.zeros((points, 2, 3))
    assert joinable(grad(x, Y)) == may


def test_what_is_not_joined() -> None:
    """What is large, there or back, and what has results that no point owns."""
    n = LARGEST_CALL // 8 + 1
    plans = Plans("functions/f/revisions/0", signature_of(f"f64[{n}]"))
    assert not joinable(build(plans, ("value",), Inputs((np.zeros(n),))))
    plans = Plans("functions/f/revisions/0", signature_of("f64[100]"))
    x = np.zeros(100)
    assert joinable(build(plans, ("grad",), Inputs((x,))))
    assert not joinable(build(plans, ("hessian",), Inputs((x,))))
    assert not joinable(build(plans, (Want("hessian", sparse=True),), Inputs((x,))))
    constant = Plans("functions/f/revisions/0", signature_of())
    assert not joinable(build(constant, ("value",), Inputs(())))


def test_kinds_are_those_of_the_derivative() -> None:
    """A batch has that of a point; another want or another size has another."""
    assert grad(X, Y).plan.kind == grad(np.stack([X]), Y).plan.kind
    assert build(PLANS, ("grad",), Inputs((X, Y))).plan.kind != grad(X, Y).plan.kind
    plans = Plans("functions/f/revisions/0", signature_of("f64[n]"))
    two, three = (build(plans, ("grad",), Inputs((np.zeros(n),))) for n in (2, 3))
    assert two.plan.kind != three.plan.kind
    assert two.plan is build(plans, ("grad",), Inputs((np.ones(2),))).plan


@pytest.mark.parametrize(
    ("kind", "one_s"),
    [(InvalidArgumentError, True), (ServerError, True), (UnavailableError, False), (OverloadedError, False)],
)
def test_whose_fault_it_may_be(kind: type[PullbackError], one_s: bool) -> None:
    """A call's, but not that the server is busy or gone."""
    assert may_be_one_s_fault(kind("text", code="CODE")) == one_s


@pytest.mark.parametrize(("remaining", "expected"), [([1.0, 3.0], 3.0), ([1.0, None], None)])
def test_the_most_patient_decides(remaining: list[float | None], expected: float | None) -> None:
    """Nobody's answer is given up because another has less time."""
    assert longest(remaining) == expected
