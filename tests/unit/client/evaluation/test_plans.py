"""What evaluations of one kind have in common is made once, and nothing is mistaken for it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pullback._evaluation.inputs import Inputs
from pullback._evaluation.plans import Plans
from pullback._evaluation.wants import Want
from pullback.errors import InvalidArgumentError
from pullback.program.signature import Argument, Result, Signature
from pullback.program.tensors import parse_tensor_type
from pullback.program.trees import LEAF
from pullback.v1 import evaluation_pb2

REVISION = "functions/f/revisions/0"
F64 = parse_tensor_type("f64[3]")


def plans_of(kind: str) -> Plans:
    """The plans of a function of x and y."""
    leaf = parse_tensor_type(kind)
    arguments = (Argument("x", LEAF, (leaf,)), Argument("y", LEAF, (leaf,)))
    return Plans(REVISION, Signature(arguments, Result(LEAF, (parse_tensor_type("f64[]"),))))


def inputs_of(n: int) -> Inputs:
    """Two arrays."""
    return Inputs((np.zeros(n), np.zeros(n)))


def test_a_plan_is_made_once() -> None:
    """However the wants are listed."""
    plans, inputs = plans_of("f64[3]"), inputs_of(3)
    plan = plans.plan(("grad",), 1, inputs)
    assert plans.plan(iter(["grad"]), 1, inputs_of(3)) is plan
    assert plans.plan(("grad",), (1,), inputs) is not plan
    assert plans.plan(("grad",), None, inputs) is not plan


def test_the_head_is_a_request_without_tensors() -> None:
    """As any reader of protobuf understands it."""
    plan = plans_of("f64[3]").plan(("value", Want("hvp", directions=2)), 1, inputs_of(3))
    request = evaluation_pb2.EvaluateRequest.FromString(plan.head)
    assert request.function == REVISION
    assert [want.quantity for want in request.wants] == [
        evaluation_pb2.QUANTITY_VALUE,
        evaluation_pb2.QUANTITY_HVP,
    ]
    assert plan.ranks == ((1, 1), (2,), ())


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ((("grad",), 1), (("grad",), 1.0)),
        (((Want("jvp", directions=1),), None), ((Want("jvp", directions=True),), None)),
    ],
)
def test_what_is_equal_in_python_is_told_apart(right: tuple[Any, Any], wrong: tuple[Any, Any]) -> None:
    """What is refused at first is refused after its like was accepted."""
    plans = plans_of("f64[3]")
    plans.plan(*right, inputs_of(3))
    with pytest.raises((InvalidArgumentError, TypeError)):
        plans.plan(*wrong, inputs_of(3))


def test_sizes_have_plans_of_their_own() -> None:
    """A function whose sizes are symbols has a plan for each combination of sizes."""
    plans = plans_of("f64[n]")
    two = plans.plan(("grad",), None, inputs_of(2))
    assert plans.plan(("grad",), None, inputs_of(2)) is two
    three = plans.plan(("grad",), None, inputs_of(3))
    assert three.layout.signature.leaves == (F64, F64)
    assert (two.head, two.point_bytes < three.point_bytes) == (three.head, True)


def test_plans_do_not_pile_up() -> None:
    """One for each size of a function that is called with ever new ones would."""
    plans = plans_of("f64[n]")
    for n in range(1, 300):
        plans.plan(("value",), None, inputs_of(n))
    assert len(plans._plans) <= 256
