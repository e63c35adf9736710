"""Primitives of equinox, on which diffrax, optimistix and others stand.

They are known by name; neither package is imported. What they compute is written with JAX's own operations.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import jax
from jax import lax
from jax.extend import core

from pullback.export._equations import function_of, types_of
from pullback.export._rewriting import Handler, Rewriting

# They pass values on, and refuse some of JAX's transformations.
_IDENTITIES: Final = (
    "nonbatchable",
    "nondifferentiable_backward",
    "nontraceable",
    "optimization_barrier_eqx",
)


def _identity(_: Rewriting, __: core.JaxprEqn, inputs: Sequence[Any]) -> list[Any]:
    return list(inputs)


def _select(_: Rewriting, __: core.JaxprEqn, inputs: Sequence[Any]) -> list[Any]:
    """A choice that equinox makes only in a batch; a served function is batched after it was lowered."""
    predicate, on_true, on_false = inputs
    return [lax.select(jax.numpy.broadcast_to(predicate, on_true.shape), on_true, on_false)]


def _expand(rewriting: Rewriting, equation: core.JaxprEqn, inputs: Sequence[Any]) -> list[Any]:
    """What a primitive computes, in its place."""
    jaxpr = expanded(equation)
    return list(function_of(rewriting.rewrite(jaxpr), equation.primitive.name)(*inputs))


def expanded(equation: core.JaxprEqn) -> core.ClosedJaxpr:
    """What a primitive computes, as its implementation writes it with others."""
    primitive: Any = equation.primitive

    def implementation(*inputs: Any) -> list[Any]:
        return list(primitive.impl(*inputs, **equation.params))

    return jax.make_jaxpr(implementation)(*types_of(equation.invars))


HANDLERS: Final[dict[str, Handler]] = {
    **dict.fromkeys(_IDENTITIES, _identity),
    "select_if_vmap": _select,
    "maybe_set": _expand,
}
