"""Functions with derivative rules of their own.

Constants, which such a function closed over, come first among the operands; it has no derivative with
respect to them, as in JAX.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

import jax
import numpy as np
from jax import lax

from pullback.program.composites import DEEPEST_RULES
from pullback_server.compute.formats.stablehlo.building import Arrays, Emit, Routine, Scope, Side
from pullback_server.compute.formats.stablehlo.composites.parameters import (
    Values,
    differentiable,
    name_of,
    require_count,
    require_signature,
)
from pullback_server.compute.formats.stablehlo.failures import malformed
from pullback_server.compute.formats.stablehlo.syntax import Operation, Types
from pullback_server.errors import Reason, service_error


def build_custom_jvp(operation: Operation, scope: Scope, values: Values) -> Emit:
    """`jax.custom_jvp`, with a rule from operands and tangents to results and tangents."""
    constants = require_count(operation, "constants", values["constants"], len(operation.operands))
    primals, results = operation.operand_types[constants:], operation.result_types
    primal = scope.function(operation.attributes["decomposition"])
    require_signature(operation, primal, operation.operand_types, results)
    if values["rule"] is None:
        return _without_rule(primal)
    rule = scope.rule(values["rule"])
    require_signature(
        operation,
        rule,
        (*operation.operand_types, *differentiable(primals)),
        (*results, *differentiable(results)),
    )

    @jax.custom_jvp
    def function(*points: jax.Array) -> tuple[jax.Array, ...]:
        return tuple(primal(*points))

    @function.defjvp
    def jvp(points: Arrays, tangents: Arrays) -> tuple[tuple[jax.Array, ...], tuple[Any, ...]]:
        outs = rule(*points, *_chosen(primals, tangents[constants:]))
        return tuple(outs[: len(results)]), tuple(_spread(results, outs[len(results) :]))

    def emit(operands: Arrays) -> Arrays:
        closed_over = zip(operands[:constants], _uses(rule), strict=False)
        captured = [_sealed(value) if used else lax.stop_gradient(value) for value, used in closed_over]
        return list(function(*captured, *operands[constants:]))

    return emit


def _uses(rule: Routine) -> list[bool]:
    """Which of its arguments a rule uses; the derivative leaves out what only the function itself uses."""
    if rule.body is None:
        return [True] * len(rule.argument_types)
    block = rule.body.block
    used = set(block.returns)
    for operation in block.operations:
        used.update(operation.operands, operation.captures)
    return [argument in used for argument in block.arguments]


def build_custom_vjp(operation: Operation, scope: Scope, values: Values) -> Emit:
    """`jax.custom_vjp`, with a forward rule that gives residuals, and a backward rule that takes them."""
    constants = require_count(operation, "constants", values["constants"], len(operation.operands))
    primals, results = operation.operand_types[constants:], operation.result_types
    primal = scope.function(operation.attributes["decomposition"])
    require_signature(operation, primal, operation.operand_types, results)
    if values["forward"] is None or values["backward"] is None:
        return _without_rule(primal)
    forward, backward = scope.rule(values["forward"]), scope.rule(values["backward"])
    residuals = forward.result_types[len(results) :]
    if len(forward.result_types) < len(results):
        raise malformed(name_of(operation), f"refers to {forward.name}, which gives too few results")
    require_signature(operation, forward, operation.operand_types, (*results, *residuals))
    require_signature(operation, backward, (*residuals, *differentiable(results)), differentiable(primals))
    if scope.side is Side.REPEATED:
        # As reverse mode would go through it: the function itself has no forward mode.
        return lambda operands: forward(*operands)[: len(results)]

    @jax.custom_vjp
    def function(*points: jax.Array) -> tuple[jax.Array, ...]:
        return tuple(primal(*points))

    def run_forward(*points: jax.Array) -> tuple[tuple[jax.Array, ...], Arrays]:
        outs = forward(*points)
        return tuple(outs[: len(results)]), outs[len(results) :]

    def run_backward(saved: Arrays, cotangents: Arrays) -> tuple[Any, ...]:
        given = _spread(primals, backward(*saved, *_chosen(results, cotangents)))
        return (*(None,) * constants, *given)

    function.defvjp(run_forward, run_backward)
    return lambda operands: list(function(*map(_sealed, operands[:constants]), *operands[constants:]))


@jax.custom_jvp
def _sealed(constant: jax.Array) -> jax.Array:
    """A constant among a function's operands, with no derivative.

    It is not closed over: a rule runs after the trace of a loop has ended, whose values it would use.
    """
    return constant


@_sealed.defjvp
def _refuse_tangent(_: Arrays, __: Arrays) -> NoReturn:
    raise service_error(
        Reason.DERIVATIVE_UNDEFINED,
        "a function with a derivative rule of its own has no derivative with respect to what it closed over; "
        "pass the value to the function as an argument",
    )


def _without_rule(primal: Routine) -> Emit:
    """A function whose rule lies too far from the program's own function to have been exported."""

    @jax.custom_jvp
    def function(*points: jax.Array) -> tuple[jax.Array, ...]:
        return tuple(primal(*points))

    @function.defjvp
    def jvp(_: Arrays, __: Arrays) -> NoReturn:
        raise service_error(
            Reason.DERIVATIVE_UNDEFINED,
            "the program has no rule for a derivative of this order: JAX has none, or rules go on without "
            f"end, of which {DEEPEST_RULES} at most are exported; ask for a derivative of lower order",
            limit=str(DEEPEST_RULES),
        )

    return lambda operands: list(function(*operands))


def _chosen(types: Types, directions: Sequence[Any]) -> Iterator[Any]:
    """The directions of what is differentiable."""
    return (
        direction
        for tensor_type, direction in zip(types, directions, strict=True)
        if tensor_type.element.differentiable
    )


def _spread(types: Types, directions: Sequence[Any]) -> Iterator[Any]:
    """Directions for all values: those of integers are of JAX's type float0."""
    given = iter(directions)
    for tensor_type in types:
        if tensor_type.element.differentiable:
            yield next(given)
        else:
            yield np.zeros(tensor_type.shape, jax.dtypes.float0)
