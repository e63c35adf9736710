"""Which inputs of a request are batched, checked against what a plan takes. Knows no JAX."""

from __future__ import annotations

from pullback.program.tensors import TensorType
from pullback_server.compute.planner.plan import Plan
from pullback_server.errors import Reason, ServiceError, service_error
from pullback_server.model.evaluation import Compilation, Evaluation, Tensor

Batched = tuple[bool, ...] | None
"""For each input of a plan whether it has a leading axis of points; None where there is no batch."""


def layout_of(evaluation: Evaluation, plan: Plan) -> Batched:
    """Which inputs of an evaluation are batched.

    Raises:
        ServiceError: ARGUMENT_COUNT_MISMATCH, ELEMENT_TYPE_MISMATCH, SHAPE_MISMATCH or MALFORMED_REQUEST.
    """
    points = evaluation.points
    batched = (
        *_each("arguments", evaluation.arguments, plan.program.signature.leaves, points),
        *_each("tangents", evaluation.tangents, plan.tangents, points),
        *_each("cotangents", evaluation.cotangents, plan.cotangents, points),
    )
    return _require_batch(points, batched)


def layout_ahead(request: Compilation, plan: Plan) -> Batched:
    """Which inputs will be batched; of tangents and cotangents, all.

    Raises:
        ServiceError: MALFORMED_REQUEST.
    """
    leaves = len(plan.program.signature.leaves)
    for leaf in request.shared_leaves:
        if not 0 <= leaf < leaves:
            raise service_error(
                Reason.MALFORMED_REQUEST,
                f"leaf {leaf} cannot be shared, since the arguments have {leaves} leaves, counted from 0",
            )
    if request.points is None:
        return None
    arguments = tuple(leaf not in request.shared_leaves for leaf in range(leaves))
    directions = (True,) * (len(plan.inputs) - leaves)
    return _require_batch(request.points, (*arguments, *directions))


def _require_batch(points: int | None, batched: tuple[bool, ...]) -> Batched:
    if points is None:
        return None
    if points < 0 or not any(batched):
        raise service_error(
            Reason.MALFORMED_REQUEST,
            f"a batch of {points} points was announced, but no tensor has such an axis; "
            "leave the number out for a single point",
        )
    return batched


def _each(
    what: str, tensors: tuple[Tensor, ...], types: tuple[TensorType, ...], points: int | None
) -> tuple[bool, ...]:
    if len(tensors) != len(types):
        raise service_error(
            Reason.ARGUMENT_COUNT_MISMATCH,
            f"{len(types)} {what} are expected, and {len(tensors)} were given",
            expected=str(len(types)),
            actual=str(len(tensors)),
        )
    pairs = zip(tensors, types, strict=True)
    return tuple(
        _batched(f"{what}[{i}]", tensor.type, expected, points) for i, (tensor, expected) in enumerate(pairs)
    )


def _batched(where: str, actual: TensorType, expected: TensorType, points: int | None) -> bool:
    if actual.element is not expected.element:
        raise _mismatch(Reason.ELEMENT_TYPE_MISMATCH, where, actual, str(expected))
    if actual.shape == expected.shape:
        return False
    if points is None:
        raise _mismatch(Reason.SHAPE_MISMATCH, where, actual, str(expected))
    if actual != expected.batched(points):
        raise _mismatch(Reason.SHAPE_MISMATCH, where, actual, f"{expected} or {expected.batched(points)}")
    return True


def _mismatch(reason: Reason, where: str, actual: TensorType, expected: str) -> ServiceError:
    return service_error(
        reason,
        f"{where} has type {actual}, but {expected} is expected",
        argument=where,
        expected=expected,
        actual=str(actual),
    )
