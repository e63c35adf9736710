"""The diagonal of the Hessian, and its sum, the Laplacian; neither makes the Hessian.

For one real scalar the gradient is pushed along each unit vector, and its own entry is kept. For other
results, and where forward over forward mode is asked for, second derivatives along each unit vector are
taken directly, and the reverse pass is spared.
"""

from __future__ import annotations

from typing import Final

from pullback_server.compute.planner.checks import (
    require_differentiable_arguments,
    require_modes,
    undefined,
)
from pullback_server.compute.planner.derivative import Along, Derivative
from pullback_server.compute.planner.kinds.gradient import slopes
from pullback_server.compute.planner.kinds.kind import Kind, Subject
from pullback_server.model.quantities import Mode, Quantity, Want

_FORWARD_OVER_REVERSE: Final = (Mode.REVERSE, Mode.FORWARD)
_FORWARD_OVER_FORWARD: Final = (Mode.FORWARD, Mode.FORWARD)


def _modes(want: Want, subject: Subject) -> tuple[Mode, ...]:
    return want.modes or (_FORWARD_OVER_REVERSE if subject.is_scalar else _FORWARD_OVER_FORWARD)


def _check(want: Want, subject: Subject) -> None:
    require_differentiable_arguments(want, subject)
    modes = _modes(want, subject)
    if modes not in (_FORWARD_OVER_REVERSE, _FORWARD_OVER_FORWARD):
        raise undefined(want, "it is taken forward over reverse or forward over forward; choose one of them")
    require_modes(want, subject, (Mode.FORWARD, Mode.REVERSE))


def _derivative(want: Want, subject: Subject) -> Derivative:
    along = Along.TRACE if want.quantity is Quantity.LAPLACIAN else Along.DIAGONAL
    source = slopes(subject) if _modes(want, subject) == _FORWARD_OVER_REVERSE else None
    return Derivative(Mode.FORWARD, along, subject.moving, source)


DIAGONAL: Final = Kind(_check, _derivative)
