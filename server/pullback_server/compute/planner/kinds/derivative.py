"""The derivative of any order: the Jacobian for order 1, else jax.jacfwd over and over jax.jacrev."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from pullback_server.compute.planner.basis import Leaves
from pullback_server.compute.planner.kinds.hessian import HESSIAN
from pullback_server.compute.planner.kinds.jacobian import JACOBIAN
from pullback_server.compute.planner.kinds.kind import Kind, Subject
from pullback_server.compute.planner.needs import Needs
from pullback_server.compute.planner.passes import Derivatives
from pullback_server.errors import Reason, service_error
from pullback_server.model.quantities import Want


def _check(want: Want, subject: Subject) -> None:
    if want.order < 1:
        raise service_error(
            Reason.MALFORMED_REQUEST,
            f"a derivative has an order of at least 1, and {want.order} was asked for",
            order=str(want.order),
        )
    (JACOBIAN if want.order == 1 else HESSIAN).check(want, subject)


def _needs(want: Want, subject: Subject) -> Needs:
    if want.order == 1:
        return JACOBIAN.needs(want, subject)
    return replace(HESSIAN.needs(want, subject), order=want.order)


def _take(want: Want, subject: Subject, found: Derivatives) -> Leaves:
    return JACOBIAN.take(want, subject, found) if want.order == 1 else found.order(want.order)


DERIVATIVE: Final = Kind(_check, _needs, _take)
