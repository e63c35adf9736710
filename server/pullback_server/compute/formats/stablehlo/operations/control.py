"""Control flow: calls, branches, barriers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import jax
import jax.numpy as jnp
from jax import lax

from pullback_server.compute.formats.stablehlo.building import Arrays, Body, Build, Emit, Scope
from pullback_server.compute.formats.stablehlo.syntax import Operation


def _call(operation: Operation, scope: Scope) -> Emit:
    # Compiled by itself, so that JAX traces a function once however often it is called.
    function = jax.jit(scope.function(operation.attributes["callee"]).__call__)
    return lambda operands: function(*operands)


def _case(operation: Operation, scope: Scope) -> Emit:
    branches = tuple(map(scope.body, operation.blocks))

    def emit(operands: Arrays) -> Arrays:
        index, *captured = operands
        known = dict(zip(operation.captures, captured, strict=True))
        choices = [_branch(branch, known) for branch in branches]
        # What is out of range takes the last branch; JAX would take the first for what is below zero.
        unsigned = lax.convert_element_type(index, jnp.uint32)
        return list(lax.switch(lax.min(unsigned, jnp.uint32(len(branches) - 1)), choices))

    return emit


def _if(operation: Operation, scope: Scope) -> Emit:
    on_true, on_false = map(scope.body, operation.blocks)

    def emit(operands: Arrays) -> Arrays:
        which, *captured = operands
        known = dict(zip(operation.captures, captured, strict=True))
        return list(lax.cond(which, _branch(on_true, known), _branch(on_false, known)))

    return emit


def _branch(body: Body, known: Mapping[int, jax.Array]) -> Callable[[], tuple[jax.Array, ...]]:
    return lambda: tuple(body(_captured(body, known), ()))


def _captured(body: Body, known: Mapping[int, jax.Array]) -> list[jax.Array]:
    return [known[number] for number in body.block.captures]


def _barrier(_: Operation, __: Scope) -> Emit:
    barrier: Callable[..., Arrays] = lax.optimization_barrier
    return lambda operands: list(barrier(tuple(operands)))


BUILDERS: Final[Mapping[str, Build]] = {
    "func.call": _call,
    "stablehlo.case": _case,
    "stablehlo.if": _if,
    "stablehlo.optimization_barrier": _barrier,
}
