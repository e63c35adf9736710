"""The Hessian times the tangents without the Hessian: jax.jvp of the first derivative in reverse mode.

For a scalar result that is jax.jvp of jax.grad. For others it is jax.jvp of jax.jacrev, with a leaf for each
pair of a leaf of the result and a leaf of the arguments.
"""

from __future__ import annotations

from typing import Final

from pullback_server.compute.planner.checks import require_differentiable_arguments, require_real_results
from pullback_server.compute.planner.derivative import Along, Derivative
from pullback_server.compute.planner.kinds.gradient import slopes
from pullback_server.compute.planner.kinds.kind import Kind, Subject
from pullback_server.model.quantities import Mode, Want


def _check(want: Want, subject: Subject) -> None:
    require_differentiable_arguments(want, subject)
    require_real_results(want, subject)


def _derivative(want: Want, subject: Subject) -> Derivative:
    source = slopes(subject)
    return Derivative(Mode.FORWARD, Along.GIVEN, subject.moving, source, directions=want.directions)


HVP: Final = Kind(_check, _derivative)
