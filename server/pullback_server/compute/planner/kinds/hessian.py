"""jax.hessian: forward mode over reverse mode, unless others are asked for; dense, or its entries."""

from __future__ import annotations

from typing import Final

from pullback_server.compute.planner.checks import (
    require_differentiable_arguments,
    require_modes,
    require_real_scalar,
)
from pullback_server.compute.planner.derivative import Along, Derivative
from pullback_server.compute.planner.kinds.derivative import along_every_axis, modes_of
from pullback_server.compute.planner.kinds.gradient import slopes
from pullback_server.compute.planner.kinds.kind import Kind, Subject
from pullback_server.model.quantities import Mode, Want


def _check(want: Want, subject: Subject) -> None:
    require_differentiable_arguments(want, subject)
    require_modes(want, subject, modes_of(want, 2))
    if want.sparse:
        require_real_scalar(want, subject)


def _derivative(want: Want, subject: Subject) -> Derivative:
    if not want.sparse or not subject.moving:
        return along_every_axis(modes_of(want, 2), subject)
    coloring = subject.color(2, Mode.FORWARD)
    return Derivative(Mode.FORWARD, Along.SEEDS, subject.moving, slopes(subject), coloring=coloring)


HESSIAN: Final = Kind(_check, _derivative)
