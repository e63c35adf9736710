"""Changes of the shape, none of the elements."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from jax import lax

from pullback_server.compute.formats.stablehlo.building import Arrays, Build, Emit, Scope
from pullback_server.compute.formats.stablehlo.failures import unsupported
from pullback_server.compute.formats.stablehlo.syntax import Operation


def _broadcast_in_dim(operation: Operation, _: Scope) -> Emit:
    (result,) = operation.result_types
    axes = operation.attributes["broadcast_dimensions"]
    if operation.operand_types[0] == result and axes == tuple(range(len(result.shape))):
        return lambda operands: [operands[0]]
    return lambda operands: [lax.broadcast_in_dim(operands[0], result.shape, axes)]


def _broadcast(operation: Operation, _: Scope) -> Emit:
    sizes = operation.attributes["broadcast_sizes"]
    return lambda operands: [lax.broadcast(operands[0], sizes)]


def _reshape(operation: Operation, _: Scope) -> Emit:
    shape = operation.result_types[0].shape
    return lambda operands: [lax.reshape(operands[0], shape)]


def _transpose(operation: Operation, _: Scope) -> Emit:
    permutation = operation.attributes["permutation"]
    return lambda operands: [lax.transpose(operands[0], permutation)]


def _reverse(operation: Operation, _: Scope) -> Emit:
    axes = operation.attributes["dimensions"]
    return lambda operands: [lax.rev(operands[0], axes)]


def _concatenate(operation: Operation, _: Scope) -> Emit:
    axis = operation.attributes["dimension"]
    return lambda operands: [lax.concatenate(list(operands), axis)]


def _pad(operation: Operation, _: Scope) -> Emit:
    names = ("edge_padding_low", "edge_padding_high", "interior_padding")
    configuration = tuple(zip(*[operation.attributes[name] for name in names], strict=True))
    return lambda operands: [lax.pad(operands[0], operands[1], configuration)]


def _get_size(operation: Operation, _: Scope) -> Emit:
    axis = operation.attributes["dimension"]
    size: Any = np.int32(operation.operand_types[0].shape[axis])
    return lambda _: [size]


def _set_size(operation: Operation, _: Scope) -> Emit:
    """Gives an axis the size that it has; any other would be a size known only when the program runs."""
    axis = operation.attributes["dimension"]
    size = operation.operand_types[0].shape[axis]

    def emit(operands: Arrays) -> Arrays:
        operand, stated = operands
        if not isinstance(stated, np.generic | np.ndarray) or int(stated) != size:
            raise unsupported(
                operation.name,
                f"gives axis {axis}, of size {size}, another size or one that is computed",
                "slice the array, or mask what lies beyond",
            )
        return [operand]

    return emit


BUILDERS: Final[Mapping[str, Build]] = {
    "stablehlo.broadcast": _broadcast,
    "stablehlo.get_dimension_size": _get_size,
    "stablehlo.set_dimension_size": _set_size,
    "stablehlo.broadcast_in_dim": _broadcast_in_dim,
    "stablehlo.reshape": _reshape,
    "stablehlo.transpose": _transpose,
    "stablehlo.reverse": _reverse,
    "stablehlo.concatenate": _concatenate,
    "stablehlo.pad": _pad,
}
