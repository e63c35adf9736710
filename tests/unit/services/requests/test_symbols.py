"""Requests to functions whose sizes are symbols."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from unit.services.checking import check_evaluation

from pullback.program.tensors import parse_tensor_type
from pullback.v1 import evaluation_pb2 as pb
from pullback_server.errors import Reason, ServiceError
from pullback_server.services.requests.evaluations import check_compilation
from pullback_server.services.requests.limits import Limits

Make = Callable[..., Any]


def evaluate(*tensors: Any, **want: Any) -> pb.EvaluateRequest:
    """A request for one quantity."""
    return pb.EvaluateRequest(wants=[pb.Want(**{"quantity": pb.QUANTITY_VALUE, **want})], arguments=tensors)


@pytest.fixture
def typed(tensor: Make) -> Make:
    """Makes the message of zeros of a type."""

    def make(text: str) -> Any:
        kind = parse_tensor_type(text)
        return tensor(*kind.shape, dtype=kind.element.dtype.name)

    return make


@pytest.fixture
def function(registered: Make) -> Any:
    """From f64[n,2] and f64[n] to f64[2*n]."""
    return registered("f64[2*n]", x="f64[n,2]", y="f64[n]")


def test_sizes_follow_from_shapes(function: Any, typed: Make, limits: Limits) -> None:
    """One more axis is a batch, whatever the sizes are."""
    point = check_evaluation(evaluate(typed("f64[3,2]"), typed("f64[3]")), function, limits)
    assert point.points is None
    batch = check_evaluation(evaluate(typed("f64[5,3,2]"), typed("f64[3]")), function, limits)
    assert batch.points == 5


@pytest.mark.parametrize(
    ("types", "reason"),
    [
        (("f64[3,2]", "f64[4]"), Reason.SHAPE_MISMATCH),
        (("f64[3]", "f64[3]"), Reason.SHAPE_MISMATCH),
        (("f64[3,3]", "f64[3]"), Reason.SHAPE_MISMATCH),
        (("f32[3,2]", "f64[3]"), Reason.ELEMENT_TYPE_MISMATCH),
        (("f64[3,2]",), Reason.ARGUMENT_COUNT_MISMATCH),
    ],
)
def test_shapes_that_do_not_fit(
    function: Any, typed: Make, limits: Limits, types: tuple[str, ...], reason: Reason
) -> None:
    """Sizes that contradict each other are refused as other wrong shapes are."""
    with pytest.raises(ServiceError) as caught:
        check_evaluation(evaluate(*map(typed, types)), function, limits)
    assert caught.value.reason is reason


def test_results_are_predicted_at_their_sizes(function: Any, typed: Make, limits: Limits) -> None:
    """The limit on results counts what will come at these very sizes."""
    check_evaluation(evaluate(typed("f64[600,2]"), typed("f64[600]")), function, limits)
    with pytest.raises(ServiceError) as caught:
        check_evaluation(evaluate(typed("f64[700,2]"), typed("f64[700]")), function, limits)
    assert caught.value.reason is Reason.RESULT_TOO_LARGE


def test_compilations_name_their_sizes(function: Any, registered: Make, limits: Limits) -> None:
    """Each symbol once, and none where there are none."""
    wants = [pb.Want(quantity=pb.QUANTITY_VALUE)]
    found = check_compilation(pb.CompileRequest(wants=wants, sizes={"n": 4}), function, limits)
    assert found.sizes == (("n", 4),)
    plain = registered("f64[]", x="f64[3]")
    for given, sizes, reason in (
        (function, {}, Reason.MALFORMED_REQUEST),
        (function, {"n": 4, "m": 1}, Reason.MALFORMED_REQUEST),
        (function, {"n": -4}, Reason.SHAPE_MISMATCH),
        (plain, {"n": 4}, Reason.MALFORMED_REQUEST),
    ):
        with pytest.raises(ServiceError) as caught:
            check_compilation(pb.CompileRequest(wants=wants, sizes=sizes), given, limits)
        assert caught.value.reason is reason
