"""jax.jacfwd and jax.jacrev: the Jacobian, in the mode that is cheaper unless one is asked for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pullback.program.tensors import TensorType
from pullback_server.compute.planner.checks import (
    require_differentiable_arguments,
    require_differentiable_results,
    require_modes,
)
from pullback_server.compute.planner.derivative import Along, Derivative
from pullback_server.compute.planner.kinds.kind import Kind, Subject
from pullback_server.model.quantities import Mode, Want


def mode_of(want: Want, subject: Subject) -> Mode:
    """Forward or reverse: what was asked for, else what exists, else what takes fewer passes.

    Forward mode takes a pass for each element of the arguments, reverse mode one for each element of the
    result; at equal numbers forward mode is cheaper, since it keeps nothing of the primal.
    """
    if want.mode is not Mode.PLANNED:
        return want.mode
    if any(leaf.element.is_complex for leaf in subject.arguments):
        return Mode.REVERSE
    if any(leaf.element.is_complex for leaf in subject.results):
        return Mode.FORWARD
    return Mode.FORWARD if _size(subject.arguments) <= _size(subject.results) else Mode.REVERSE


def _size(leaves: Iterable[TensorType]) -> int:
    return sum(leaf.size for leaf in leaves)


def _check(want: Want, subject: Subject) -> None:
    require_differentiable_arguments(want, subject)
    require_differentiable_results(want, subject)
    require_modes(want, subject, (mode_of(want, subject),))
    if want.sparse:
        require_modes(want, subject, (Mode.FORWARD, Mode.REVERSE))


def _derivative(want: Want, subject: Subject) -> Derivative:
    if not want.sparse or not subject.moving:
        return Derivative(mode_of(want, subject), Along.BASIS, subject.moving)
    coloring = subject.color(1, want.mode)
    return Derivative(coloring.mode, Along.SEEDS, subject.moving, coloring=coloring)


JACOBIAN: Final = Kind(_check, _derivative)
