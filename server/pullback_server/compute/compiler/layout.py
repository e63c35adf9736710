"""Which inputs of a request are batched, checked against what a plan takes. Knows no JAX."""

from __future__ import annotations

from pullback.program.tensors import TensorType
from pullback_server.compute.planner.plan import Plan
from pullback_server.errors import Reason, ServiceError, service_error
from pullback_server.model.evaluation import Compilation, Kind

Batched = tuple[bool, ...] | None
"""For each input of a plan whether it has a leading axis of points; None where there is no batch."""


def layout_of(kind: Kind, plan: Plan) -> Batched:
    """Which inputs of evaluations of a kind are batched.

    Raises:
        ServiceError: ARGUMENT_COUNT_MISMATCH, ELEMENT_TYPE_MISMATCH, SHAPE_MISMATCH or MALFORMED_REQUEST.
    """
    _require_types("arguments", kind.arguments, plan.program.signature.leaves)
    _require_types("tangents", kind.tangents, plan.tangents)
    _require_types("cotangents", kind.cotangents, plan.cotangents)
    if kind.batched is not None and not any(kind.batched):
        raise _no_batch("its points")
    return kind.batched


def require_points(points: int | None, batched: Batched) -> None:
    """Refuses a number of points where nothing is batched, and none where something is.

    Raises:
        ServiceError: MALFORMED_REQUEST.
    """
    if (points is None) != (batched is None) or (points is not None and points < 0):
        raise _no_batch(f"{points} points")


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


def _require_batch(points: int, batched: tuple[bool, ...]) -> Batched:
    if points < 0 or not any(batched):
        raise _no_batch(f"{points} points")
    return batched


def _no_batch(points: str) -> ServiceError:
    return service_error(
        Reason.MALFORMED_REQUEST,
        f"a batch of {points} was announced, but no tensor has such an axis, or none where one has; "
        "leave the number out for a single point",
    )


def _require_types(what: str, types: tuple[TensorType, ...], expected: tuple[TensorType, ...]) -> None:
    if len(types) != len(expected):
        raise service_error(
            Reason.ARGUMENT_COUNT_MISMATCH,
            f"{len(expected)} {what} are expected, and {len(types)} were given",
            expected=str(len(expected)),
            actual=str(len(types)),
        )
    for number, (actual, wanted) in enumerate(zip(types, expected, strict=True)):
        if actual.element is not wanted.element:
            raise _mismatch(Reason.ELEMENT_TYPE_MISMATCH, f"{what}[{number}]", actual, str(wanted))
        if actual != wanted:
            raise _mismatch(Reason.SHAPE_MISMATCH, f"{what}[{number}]", actual, str(wanted))


def _mismatch(reason: Reason, where: str, actual: TensorType, expected: str) -> ServiceError:
    return service_error(
        reason,
        f"{where} has type {actual}, but {expected} is expected",
        argument=where,
        expected=expected,
        actual=str(actual),
    )
