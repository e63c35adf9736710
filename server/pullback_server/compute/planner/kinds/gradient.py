"""jax.grad: the gradient of a function whose result is one real scalar."""

from __future__ import annotations

from typing import Final

from pullback_server.compute.planner.checks import require_differentiable_arguments, require_real_scalar
from pullback_server.compute.planner.derivative import Along, Derivative
from pullback_server.compute.planner.kinds.kind import Kind, Subject
from pullback_server.model.quantities import Mode, Want


def slopes(subject: Subject) -> Derivative:
    """The first derivative in reverse mode: jax.grad where that exists, else jax.jacrev."""
    along = Along.ONE if subject.is_scalar else Along.BASIS
    return Derivative(Mode.REVERSE, along, subject.moving)


def _check(want: Want, subject: Subject) -> None:
    require_differentiable_arguments(want, subject)
    require_real_scalar(want, subject)


def _derivative(_want: Want, subject: Subject) -> Derivative:
    return slopes(subject)


GRADIENT: Final = Kind(_check, _derivative)
