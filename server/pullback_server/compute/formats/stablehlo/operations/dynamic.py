"""Operations whose sizes are operands.

The types of a module say all sizes once its shapes are refined, so most of these operands carry nothing
that is not known; those that say something else than a shape have to be constants.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np
from jax import lax
from jax.extend.core import primitives

from pullback_server.compute.formats.stablehlo.building import Arrays, Build, Emit, Scope
from pullback_server.compute.formats.stablehlo.failures import unsupported
from pullback_server.compute.formats.stablehlo.operations.contraction import BUILDERS as CONTRACTIONS
from pullback_server.compute.formats.stablehlo.operations.creation import BUILDERS as CREATIONS
from pullback_server.compute.formats.stablehlo.operations.indexing import BUILDERS as INDEXING
from pullback_server.compute.formats.stablehlo.operations.shape import BUILDERS as SHAPES
from pullback_server.compute.formats.stablehlo.syntax import Operation


def known(operation: Operation, value: Any) -> tuple[int, ...]:
    """The elements of an operand that has to be a constant.

    Raises:
        ServiceError: UNSUPPORTED_OPERATION if it is computed.
    """
    if not isinstance(value, np.ndarray | np.generic):
        raise unsupported(
            operation.name, "has sizes or paddings that are computed", "make them constants of the program"
        )
    return tuple(map(int, np.ravel(value)))


def _as_static(static: Build, kept: int) -> Build:
    """The builder of an operation whose operands after the first few say what its type says."""

    def build(operation: Operation, scope: Scope) -> Emit:
        emit = static(operation, scope)
        return lambda operands: emit(operands[:kept])

    return build


def _pad(operation: Operation, _: Scope) -> Emit:
    def emit(operands: Arrays) -> Arrays:
        operand, value, *sizes = operands
        configuration = tuple(zip(*(known(operation, size) for size in sizes), strict=True))
        return [lax.pad(operand, value, configuration)]

    return emit


def _gather(operation: Operation, scope: Scope) -> Emit:
    def emit(operands: Arrays) -> Arrays:
        operand, indices, sizes = operands
        attributes = {**operation.attributes, "slice_sizes": known(operation, sizes)}
        static = replace(operation, attributes=attributes)
        return INDEXING["stablehlo.gather"](static, scope)([operand, indices])

    return emit


def _convolution(operation: Operation, scope: Scope) -> Emit:
    def emit(operands: Arrays) -> Arrays:
        left, right, padding = operands
        pairs = np.reshape(known(operation, padding), padding.shape)
        static = replace(operation, attributes={**operation.attributes, "padding": pairs})
        return CONTRACTIONS["stablehlo.convolution"](static, scope)([left, right])

    return emit


def _real_dynamic_slice(operation: Operation, _: Scope) -> Emit:
    shape = operation.result_types[0].shape

    def emit(operands: Arrays) -> Arrays:
        operand, starts, _, strides = operands
        steps = known(operation, strides)
        if isinstance(starts, np.ndarray):
            first = known(operation, starts)
            limits = [
                low + (size - 1) * step + 1 if size else low
                for low, size, step in zip(first, shape, steps, strict=True)
            ]
            return [lax.slice(operand, first, limits, steps)]
        spans = [(size - 1) * step + 1 if size else 0 for size, step in zip(shape, steps, strict=True)]
        where = [lax.index_in_dim(starts, axis, keepdims=False) for axis in range(len(shape))]
        part = primitives.dynamic_slice_p.bind(operand, *where, slice_sizes=tuple(spans))
        return [lax.slice(part, (0,) * len(shape), spans, steps)]

    return emit


BUILDERS: Final[Mapping[str, Build]] = {
    "stablehlo.dynamic_broadcast_in_dim": _as_static(SHAPES["stablehlo.broadcast_in_dim"], 1),
    "stablehlo.dynamic_reshape": _as_static(SHAPES["stablehlo.reshape"], 1),
    "stablehlo.dynamic_iota": _as_static(CREATIONS["stablehlo.iota"], 0),
    "stablehlo.dynamic_pad": _pad,
    "stablehlo.dynamic_gather": _gather,
    "stablehlo.dynamic_conv": _convolution,
    "stablehlo.real_dynamic_slice": _real_dynamic_slice,
}
