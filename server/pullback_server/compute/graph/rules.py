"""Where the derivatives of a function's operations come from.

The lifter marks what it makes of a composite with a scope of the composite's name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from jax.extend import core

from pullback.graphs.data import Origin, Rule
from pullback.program.composites import NAMESPACE, composite_name
from pullback_server.compute.graph.equations import inner_of, types_of

_CUSTOM: Final = {
    "custom_jvp_call": composite_name("custom_jvp"),
    "custom_vjp_call": composite_name("custom_vjp"),
    "custom_vjp_call_jaxpr": composite_name("custom_vjp"),
}
_CHOOSING: Final = ("scan", "while", "cond", "custom_linear_solve")


def has_own_rule(equation: core.JaxprEqn) -> bool:
    """Whether an equation's own rule stands for those of everything inside."""
    return equation.primitive.name in _CUSTOM


def rule_of(equation: core.JaxprEqn, scope: str) -> Rule | None:
    """Where the derivative of an equation comes from.

    None for one that has none, as of integers or constants, and for a call, whose operations have their own.

    Args:
        equation: The equation, in the jaxpr of the function itself.
        scope: The names of the scopes that it stands in.
    """
    name = equation.primitive.name
    if not (_differentiable(equation.invars) and _differentiable(equation.outvars)):
        return None
    composite = scope.rpartition("/")[2]
    named = composite.startswith(f"{NAMESPACE}.")
    if name in _CUSTOM:
        return Rule(Origin.EXPORTED, _CUSTOM[name]) if named else Rule(Origin.LIFTED, name)
    if inner_of(equation) and name not in _CHOOSING:
        return None
    return Rule(Origin.LIBRARY, composite) if named else Rule(Origin.LIFTED, name)


def _differentiable(variables: Sequence[Any]) -> bool:
    known = [variable for variable in variables if not isinstance(variable, core.Literal)]
    return any(leaf.element.differentiable for leaf in types_of(known))
