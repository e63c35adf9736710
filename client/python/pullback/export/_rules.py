"""Derivative rules as jaxprs, got by differentiating the equation that has them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import jax
import numpy as np
from jax.extend import core

from pullback.export._equations import bind, is_differentiable, types_of
from pullback.export.errors import RuleClosureError

_ADVICE: Final = (
    "a derivative rule uses a traced value that is not among its arguments; pass the value to the "
    "custom_jvp or custom_vjp function as an argument"
)


def _traced(rule: Callable[..., list[Any]], types: Sequence[jax.ShapeDtypeStruct]) -> core.ClosedJaxpr:
    try:
        jaxpr = jax.make_jaxpr(rule)(*types)
    except jax.errors.UnexpectedTracerError as error:
        raise RuleClosureError(_ADVICE) from error
    if any(isinstance(constant, jax.core.Tracer) for constant in jaxpr.consts):
        raise RuleClosureError(_ADVICE)
    return jaxpr


def jvp_rule(equation: core.JaxprEqn) -> core.ClosedJaxpr:
    """The rule of an equation with a custom JVP.

    Returns:
        A jaxpr from constants, primals and the tangents of the differentiable primals to results and
        the tangents of the differentiable results.
    """
    constants, primals = _operands(equation)
    tangents = list(filter(is_differentiable, primals))

    def rule(*flat: Any) -> list[Any]:
        captured, rest = flat[: len(constants)], flat[len(constants) :]
        points, directions = rest[: len(primals)], rest[len(primals) :]
        outs, changes = jax.jvp(
            lambda *inner: bind(equation, (*captured, *inner)),
            tuple(points),
            tuple(_filled(points, directions)),
        )
        return [*outs, *_differentiable_only(outs, changes)]

    return _traced(rule, [*constants, *primals, *tangents])


def vjp_rules(equation: core.JaxprEqn) -> tuple[core.ClosedJaxpr, core.ClosedJaxpr]:
    """The forward and backward rules of an equation with a custom VJP.

    Returns:
        A jaxpr from constants and primals to results and residuals; and one from residuals and the
        cotangents of the differentiable results to the cotangents of the differentiable primals.
    """
    constants, primals = _operands(equation)
    structure: Any = None

    def forward(*flat: Any) -> list[Any]:
        nonlocal structure
        captured, points = flat[: len(constants)], flat[len(constants) :]
        outs, pullback = jax.vjp(lambda *inner: bind(equation, (*captured, *inner)), *points)
        residuals, structure = jax.tree.flatten(pullback)
        return [*outs, *residuals]

    traced = _traced(forward, [*constants, *primals])
    results, residuals = _split(types_of(traced.out_avals), len(equation.outvars))

    def backward(*flat: Any) -> list[Any]:
        saved, cotangents = _split(flat, len(residuals))
        pullback = jax.tree.unflatten(structure, saved)
        return _differentiable_only(primals, pullback(_filled(results, cotangents)))

    cotangents = list(filter(is_differentiable, results))
    return traced, _traced(backward, [*residuals, *cotangents])


def _operands(
    equation: core.JaxprEqn,
) -> tuple[list[jax.ShapeDtypeStruct], list[jax.ShapeDtypeStruct]]:
    return _split(types_of(equation.invars), equation.params.get("num_consts", 0))


def _split(values: Sequence[Any], count: int) -> tuple[list[Any], list[Any]]:
    return list(values[:count]), list(values[count:])


def _filled(values: Sequence[Any], directions: Sequence[Any]) -> list[Any]:
    """Directions for all values: those of integers are of JAX's type float0."""
    given = iter(directions)
    return [
        next(given) if is_differentiable(value) else np.zeros(value.shape, jax.dtypes.float0)
        for value in values
    ]


def _differentiable_only(values: Sequence[Any], directions: Sequence[Any]) -> list[Any]:
    return [
        direction for value, direction in zip(values, directions, strict=True) if is_differentiable(value)
    ]
