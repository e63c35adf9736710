"""The derivative of any order: the Jacobian for order 1, else jax.jacfwd over and over jax.jacrev.

In other modes where they are asked for: reverse over forward, forward over forward, any order of them.
"""

from __future__ import annotations

from typing import Final

from pullback_server.compute.planner.checks import require_differentiable_arguments, require_modes
from pullback_server.compute.planner.derivative import Along, Derivative
from pullback_server.compute.planner.kinds.jacobian import JACOBIAN
from pullback_server.compute.planner.kinds.kind import Kind, Subject
from pullback_server.errors import Reason, service_error
from pullback_server.model.quantities import Mode, Want


def modes_of(want: Want, order: int) -> tuple[Mode, ...]:
    """The modes of each differentiation, innermost first: those asked for, else jax.hessian's."""
    return want.modes or (Mode.REVERSE, *(Mode.FORWARD,) * (order - 1))


def along_every_axis(modes: tuple[Mode, ...], subject: Subject) -> Derivative:
    """The derivative in the given modes, all its axes."""
    *inner, last = modes
    source = along_every_axis(tuple(inner), subject) if inner else None
    return Derivative(last, Along.BASIS, subject.moving, source)


def _check(want: Want, subject: Subject) -> None:
    if want.order < 1:
        raise service_error(
            Reason.MALFORMED_REQUEST,
            f"a derivative has an order of at least 1, and {want.order} was asked for",
            order=str(want.order),
        )
    if want.order == 1 and not want.modes:
        JACOBIAN.check(want, subject)
        return
    require_differentiable_arguments(want, subject)
    require_modes(want, subject, modes_of(want, want.order))


def _derivative(want: Want, subject: Subject) -> Derivative | None:
    if want.order == 1 and not want.modes:
        return JACOBIAN.derivative(want, subject)
    return along_every_axis(modes_of(want, want.order), subject)


DERIVATIVE: Final = Kind(_check, _derivative)
