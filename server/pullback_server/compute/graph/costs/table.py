"""The cost of any equation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from jax.extend import core

from pullback.graphs.data import Cost
from pullback_server.compute.graph.costs import (
    contraction,
    elementwise,
    linear_algebra,
    movement,
    reduction,
)
from pullback_server.compute.graph.equations import types_of

RULES: Final[Mapping[str, Callable[[core.JaxprEqn], Cost]]] = MappingProxyType(
    {
        **movement.RULES,
        **elementwise.RULES,
        **contraction.RULES,
        **reduction.RULES,
        **linear_algebra.RULES,
    }
)
# They read as much as they give, not all of what they read from, beside the indices.
_TAKING: Final = ("slice", "dynamic_slice", "gather")
# They are done in place: of the first operand, they touch what they change.
_CHANGING: Final = ("dynamic_update_slice", "scatter")


def cost_of(equation: core.JaxprEqn) -> Cost | None:
    """What an equation without anything inside costs; None, but for the bytes, if there is no rule."""
    rule = RULES.get(equation.primitive.name)
    return None if rule is None else rule(equation)


def bytes_of(equation: core.JaxprEqn) -> Cost:
    """The bytes that an equation reads and writes."""
    operands = [leaf.nbytes for leaf in types_of(equation.invars)]
    results = sum(leaf.nbytes for leaf in types_of(equation.outvars))
    name = equation.primitive.name
    if name in _TAKING:
        return Cost(bytes_read=results + sum(operands[1:]), bytes_written=results)
    if name.startswith(_CHANGING):
        changed = operands[2] if name.startswith("scatter") else operands[1]
        return Cost(bytes_read=sum(operands[1:]), bytes_written=changed)
    return Cost(bytes_read=sum(operands), bytes_written=results)
