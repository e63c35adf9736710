"""Which derivatives share a pass, and so a primal. Knows no JAX.

Derivatives with respect to different arguments can share one: it is with respect to all of them, and each
derivative takes its part. That spares evaluations of the function, but in forward mode the arguments that
stand still have tangents too, all zero, and those are pushed along once for each sweep.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final

from pullback_server.compute.planner.chunks import Chunking, sweeps_of
from pullback_server.compute.planner.derivative import Along, Derivative, with_needs
from pullback_server.model.quantities import Mode

# Evaluating a function for a derivative takes its value and its partial derivatives: so many pushes.
_PRIMAL_COST: Final = 2


@dataclass(frozen=True, slots=True)
class Pass:
    """One pass over the function.

    Attributes:
        leaves: The numbers of the argument leaves with respect to which it is taken.
        derivatives: What it finds, each behind what it needs.
    """

    leaves: tuple[int, ...]
    derivatives: tuple[Derivative, ...]

    @property
    def reverses(self) -> bool:
        """Whether reverse mode is in it."""
        return any(each.mode is Mode.REVERSE for each in self.derivatives)


def passes_for(derivatives: Sequence[Derivative], chunking: Chunking, *, share: bool) -> tuple[Pass, ...]:
    """The passes that find derivatives; one at least, for the value.

    Args:
        derivatives: What is wanted.
        chunking: Says how many directions are taken at a time.
        share: Whether derivatives may share a pass where that is cheaper. If not, those with respect to
            different arguments do not, and what is pulled back was pushed in a pass of its own before.
    """
    if not share:
        return _apart(derivatives) or (_pass(derivatives),)
    together = _pass(derivatives)
    apart = tuple(map(_pass, _by_arguments(derivatives)))
    saved = _PRIMAL_COST * (len(apart) - 1)
    return apart if apart and _extra(together, chunking) > saved else (together,)


def _apart(derivatives: Sequence[Derivative]) -> tuple[Pass, ...]:
    pushed = dict.fromkeys(each.pushed for each in derivatives if each.pushed is not None)
    others = [each for each in derivatives if each not in pushed]
    return (
        *(_pass([each]) for each in pushed),
        *(_pass(members, pushed) for members in _by_arguments(others)),
    )


def _by_arguments(derivatives: Sequence[Derivative]) -> list[list[Derivative]]:
    groups: dict[tuple[int, ...], list[Derivative]] = {}
    for each in derivatives:
        groups.setdefault(each.moving, []).append(each)
    return list(groups.values())


def _pass(derivatives: Sequence[Derivative], given: Collection[Derivative] = ()) -> Pass:
    leaves = sorted({number for each in derivatives for number in each.moving})
    return Pass(tuple(leaves), with_needs(derivatives, given))


def by_rows(derivatives: Sequence[Derivative | None]) -> tuple[Derivative | None, ...]:
    """Takes gradients from the Jacobian in reverse mode where that is found anyway."""
    rows = {
        (each.mode, each.moving)
        for each in with_needs(filter(None, derivatives))
        if each.along is Along.BASIS and each.source is None
    }
    return tuple(None if each is None else _replaced(each, rows) for each in derivatives)


def _replaced(derivative: Derivative, rows: set[tuple[Mode, tuple[int, ...]]]) -> Derivative:
    if derivative.along is Along.ONE and (derivative.mode, derivative.moving) in rows:
        return replace(derivative, along=Along.BASIS)
    if derivative.source is None:
        return derivative
    return replace(derivative, source=_replaced(derivative.source, rows))


def _extra(together: Pass, chunking: Chunking) -> int:
    """How often tangents that are zero are pushed along."""
    pushes = {
        (each.along, each.moving, each.directions): sweeps_of(chunking, each)
        for each in together.derivatives
        if each.mode is Mode.FORWARD and each.moving != together.leaves
    }
    return sum(pushes.values())
