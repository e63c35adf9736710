"""jax.jacfwd and jax.jacrev: the Jacobian, in the mode that is cheaper unless one is asked for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pullback.program.tensors import TensorType
from pullback_server.compute.planner.basis import Leaves
from pullback_server.compute.planner.checks import (
    require_differentiable_arguments,
    require_differentiable_results,
    require_real_arguments,
    require_real_results,
)
from pullback_server.compute.planner.kinds.kind import Kind, Subject
from pullback_server.compute.planner.needs import Needs
from pullback_server.compute.planner.passes import Derivatives
from pullback_server.model.quantities import Mode, Quantity, Want


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


def other_mode(want: Want, subject: Subject) -> Want:
    """The same want in the mode that was not chosen; itself where nothing was there to choose."""
    chosen_here = want.quantity is Quantity.JACOBIAN and want.mode is Mode.PLANNED
    if not chosen_here and (want.quantity is not Quantity.DERIVATIVE or want.order != 1):
        return want
    other = Mode.REVERSE if mode_of(want, subject) is Mode.FORWARD else Mode.FORWARD
    return Want(Quantity.JACOBIAN, mode=other, argnums=want.argnums)


def _size(leaves: Iterable[TensorType]) -> int:
    return sum(leaf.size for leaf in leaves)


def _check(want: Want, subject: Subject) -> None:
    require_differentiable_arguments(want, subject)
    require_differentiable_results(want, subject)
    if mode_of(want, subject) is Mode.FORWARD:
        require_real_arguments(want, subject)
    else:
        require_real_results(want, subject)


def _needs(want: Want, subject: Subject) -> Needs:
    return Needs(columns=True) if mode_of(want, subject) is Mode.FORWARD else Needs(order=1)


def _take(want: Want, subject: Subject, found: Derivatives) -> Leaves:
    return found.columns if mode_of(want, subject) is Mode.FORWARD else found.order(1)


JACOBIAN: Final = Kind(_check, _needs, _take)
