"""The Gauss-Newton matrix times the tangents: the Jacobian's transpose times the Jacobian times a vector.

With the result as residuals r, J^T J is the Hessian of |r|^2 / 2 without the terms that hold second
derivatives of r (N. Schraudolph, "Fast Curvature Matrix-Vector Products for Second-Order Gradient Descent",
2002). Neither J nor J^T J is made: tangents are pushed forward, and what comes out is pulled back.
"""

from __future__ import annotations

from typing import Final

from pullback_server.compute.planner.checks import (
    require_differentiable_arguments,
    require_modes,
)
from pullback_server.compute.planner.derivative import Along, Derivative
from pullback_server.compute.planner.kinds.jvp import pushed
from pullback_server.compute.planner.kinds.kind import Kind, Subject
from pullback_server.model.quantities import Mode, Want


def _check(want: Want, subject: Subject) -> None:
    require_differentiable_arguments(want, subject)
    require_modes(want, subject, (Mode.FORWARD, Mode.REVERSE))


def _derivative(want: Want, subject: Subject) -> Derivative:
    return Derivative(
        Mode.REVERSE,
        Along.PUSHED,
        subject.moving,
        pushed=pushed(want, subject),
        directions=want.directions,
    )


GGN: Final = Kind(_check, _derivative)
