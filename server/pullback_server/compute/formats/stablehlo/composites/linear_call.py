"""Linear functions with a transpose of their own."""

from __future__ import annotations

from typing import Any, NoReturn

import jax
import jax.numpy as jnp
from jax import lax

from pullback.program.tensors import TensorType
from pullback_server.compute.formats.stablehlo.building import Arrays, Emit, Scope
from pullback_server.compute.formats.stablehlo.composites.parameters import (
    Values,
    require_count,
    require_signature,
)
from pullback_server.compute.formats.stablehlo.syntax import Operation
from pullback_server.errors import Reason, service_error

Pair = tuple[Arrays, Arrays]


def build(operation: Operation, scope: Scope, values: Values) -> Emit:
    """`jax.custom_derivatives.linear_call`, which JAX cannot batch, said by what it can.

    A linear function f with the transpose g is a half of the linear map (x, y) -> (g(y), f(x)), whose
    transpose it is itself, and `jax.lax.custom_linear_solve` applies a map and its transpose as given.
    """
    residuals = require_count(operation, "residuals", values["residuals"], len(operation.operands))
    saved, linear = operation.operand_types[:residuals], operation.operand_types[residuals:]
    results = operation.result_types
    forward = scope.function(operation.attributes["decomposition"])
    require_signature(operation, forward, operation.operand_types, results)
    transpose = scope.main(values["transpose"])
    require_signature(operation, transpose, (*saved, *results), linear)

    def half(captured: Arrays, given: Arrays) -> list[jax.Array]:
        def apply(_: Any, pair: Pair) -> Pair:
            return [jnp.zeros_like(part) for part in pair[0]], forward(*captured, *pair[0])

        def apply_transpose(_: Any, pair: Pair) -> Pair:
            return transpose(*captured, *pair[1]), [jnp.zeros_like(part) for part in pair[1]]

        right = (list(given), [_nothing(type_, given) for type_ in results])
        return list(lax.custom_linear_solve(lambda pair: pair, right, apply, apply_transpose)[1])

    @jax.custom_jvp
    def function(captured: Arrays, given: Arrays) -> list[jax.Array]:
        return half(captured, given)

    @function.defjvp
    def jvp(primals: Pair, tangents: Pair) -> tuple[list[jax.Array], list[jax.Array]]:
        return function(*primals), function(primals[0], tangents[1])

    return lambda operands: function(
        list(map(_without_derivative, operands[:residuals])), list(operands[residuals:])
    )


def _nothing(type_: TensorType, given: Arrays) -> jax.Array:
    """Zeros that are linear in what is given, as JAX wants them of what it transposes."""
    total = sum((jnp.sum(part.real) for part in given), start=jnp.zeros((), given[0].real.dtype))
    return jnp.broadcast_to(0 * total, type_.shape).astype(type_.element.dtype)


@jax.custom_jvp
def _without_derivative(residual: jax.Array) -> jax.Array:
    return residual


@_without_derivative.defjvp
def _refuse(_: Arrays, __: Arrays) -> NoReturn:
    raise service_error(
        Reason.DERIVATIVE_UNDEFINED,
        "a linear function with a transpose of its own (jax.custom_derivatives.linear_call) has no "
        "derivative with respect to what it is not linear in; ask for those of other arguments",
    )
