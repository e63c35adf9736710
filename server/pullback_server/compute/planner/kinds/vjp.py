"""jax.vjp: the cotangents pulled back, a leaf for each differentiable leaf of the arguments in argnums."""

from __future__ import annotations

from typing import Final

from pullback_server.compute.planner.derivative import Along, Derivative
from pullback_server.compute.planner.kinds.kind import Kind, Subject
from pullback_server.model.quantities import Mode, Want


def _check(want: Want, subject: Subject) -> None:
    """Every function has one: leaves without a derivative are passed over."""


def _derivative(want: Want, subject: Subject) -> Derivative:
    return Derivative(Mode.REVERSE, Along.GIVEN, subject.moving, directions=want.directions)


VJP: Final = Kind(_check, _derivative)
