"""Loops that are run a known number of times, and so can be reversed."""

from __future__ import annotations

import jax
from jax import lax

from pullback.program.tensors import TensorType
from pullback_server.compute.formats.stablehlo.building import Arrays, Emit, Scope
from pullback_server.compute.formats.stablehlo.composites.parameters import (
    Values,
    name_of,
    require_count,
    require_signature,
)
from pullback_server.compute.formats.stablehlo.failures import malformed
from pullback_server.compute.formats.stablehlo.limits import LARGEST_UNROLL
from pullback_server.compute.formats.stablehlo.syntax import Operation, Types


def build(operation: Operation, scope: Scope, values: Values) -> Emit:
    """`jax.lax.scan`, with a body from constants, carries and elements to carries and elements."""
    types, results, length = operation.operand_types, operation.result_types, values["length"]
    constants = require_count(operation, "constants", values["constants"], len(types))
    most = min(len(types) - constants, len(results))
    carries = require_count(operation, "carries", values["carries"], most)
    first = constants + carries
    body = scope.main(values["body"])
    elements = _inner(operation, types[first:], length)
    require_signature(
        operation,
        body,
        (*types[:first], *elements),
        (*types[constants:first], *_inner(operation, results[carries:], length)),
    )
    unroll = max(1, min(values["unroll"], LARGEST_UNROLL))

    def emit(operands: Arrays) -> Arrays:
        captured = operands[:constants]

        def step(state: list[jax.Array], element: list[jax.Array]) -> tuple[list[jax.Array], Arrays]:
            outs = body(*captured, *state, *element)
            return outs[:carries], outs[carries:]

        state, stacked = lax.scan(
            step,
            list(operands[constants:first]),
            list(operands[first:]),
            length=length,
            reverse=values["reverse"],
            unroll=unroll,
        )
        return [*state, *stacked]

    return emit


def _inner(operation: Operation, types: Types, length: int) -> Types:
    for tensor_type in types:
        if not tensor_type.shape or tensor_type.shape[0] != length:
            raise malformed(
                name_of(operation), f"of length {length} runs over {tensor_type}, which has another length"
            )
    return tuple(TensorType(type_.element, type_.shape[1:]) for type_ in types)
