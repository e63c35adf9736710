"""jax.jvp: the derivative along the tangents, a leaf for each differentiable leaf of the result."""

from __future__ import annotations

from typing import Final

from pullback_server.compute.planner.derivative import Along, Derivative
from pullback_server.compute.planner.kinds.kind import Kind, Subject
from pullback_server.model.quantities import Mode, Want


def pushed(want: Want, subject: Subject) -> Derivative:
    """The change of the outputs along the tangents."""
    return Derivative(Mode.FORWARD, Along.GIVEN, subject.moving, directions=want.directions)


def _check(want: Want, subject: Subject) -> None:
    """Every function has one: leaves without a derivative are passed over."""


JVP: Final = Kind(_check, pushed)
