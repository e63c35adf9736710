"""Other ways to the same wants, for functions that lack a mode.

A loop without a known end has no reverse mode, a rule of the function's own for reverse mode forbids forward
mode, and either may concern only some of the arguments. Which it is shows when the plan is traced.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from pullback_server.model.quantities import Mode, Quantity, Want

Wants = tuple[Want, ...]


def alternatives(wants: Wants) -> Iterator[tuple[Wants, bool]]:
    """The ways to give wants, in the order in which to try them.

    Yields:
        The wants, with modes where the planner has to choose them, and whether those with different argnums
        may share a pass.
    """
    yield wants, True
    products = any(want.quantity is Quantity.GGN_VP for want in wants)
    if products or len({want.argnums for want in wants if want.argnums}) > 1:
        yield wants, False
    for mode in (Mode.FORWARD, Mode.REVERSE):
        others = tuple(_in_mode(want, mode) for want in wants)
        if others != wants:
            yield others, False


def _in_mode(want: Want, mode: Mode) -> Want:
    """The want in one mode throughout, if its modes are the planner's to choose."""
    if want.mode is not Mode.PLANNED or want.modes:
        return want
    match want.quantity:
        case Quantity.JACOBIAN:
            return replace(want, mode=mode)
        case Quantity.HESSIAN | Quantity.DERIVATIVE if not want.sparse:
            return replace(want, modes=(mode,) * want.quantity.levels(want.order))
        case Quantity.HESSIAN_DIAG | Quantity.LAPLACIAN:
            return replace(want, modes=(mode, Mode.FORWARD))
        case _:
            return want
