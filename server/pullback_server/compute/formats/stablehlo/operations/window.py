"""Reductions over windows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from jax import lax
from jax.extend.core import primitives

from pullback_server.compute.formats.stablehlo.building import Arrays, Build, Emit, Scope
from pullback_server.compute.formats.stablehlo.failures import unsupported
from pullback_server.compute.formats.stablehlo.operations.reduction import COMBINERS, is_identity
from pullback_server.compute.formats.stablehlo.regions import binary_operation
from pullback_server.compute.formats.stablehlo.syntax import Operation


def pairs(value: Any, axes: int) -> tuple[tuple[int, int], ...]:
    """Padding, low and high for each axis; none where it is left out."""
    if value is None:
        return ((0, 0),) * axes
    return tuple((int(low), int(high)) for low, high in np.reshape(value, (axes, 2)))


def _windows(operation: Operation) -> dict[str, Any]:
    sizes = operation.attributes["window_dimensions"]
    ones = (1,) * len(sizes)
    return {
        "window_dimensions": sizes,
        "window_strides": operation.attributes.get("window_strides", ones),
        "padding": pairs(operation.attributes.get("padding"), len(sizes)),
    }


def _reduce_window(operation: Operation, scope: Scope) -> Emit:
    (block,) = operation.blocks
    windows = _windows(operation)
    ones = (1,) * len(windows["window_dimensions"])
    windows["base_dilation"] = operation.attributes.get("base_dilations", ones)
    windows["window_dilation"] = operation.attributes.get("window_dilations", ones)
    combiner = binary_operation(block)
    body = scope.body(block)
    count = len(operation.results)

    def emit(operands: Arrays) -> Arrays:
        arrays, starts, captured = operands[:count], operands[count : 2 * count], operands[2 * count :]
        if combiner is not None and combiner in COMBINERS and is_identity(combiner, starts[0]):
            return [lax.reduce_window(arrays[0], starts[0], COMBINERS[combiner], **windows)]

        def combine(left: Any, right: Any) -> Any:
            return tuple(body(captured, (*left, *right)))

        return list(lax.reduce_window(tuple(arrays), tuple(starts), combine, **windows))

    return emit


_SELECTIONS: Final = {"GE": primitives.ge_p, "LE": primitives.le_p}


def _select_and_scatter(operation: Operation, _: Scope) -> Emit:
    select, scatter = operation.blocks
    comparison = select.operations[-1] if select.operations else None
    direction = comparison.attributes.get("comparison_direction") if comparison is not None else None
    if (
        binary_operation(select) != "stablehlo.compare"
        or direction not in _SELECTIONS
        or binary_operation(scatter) != "stablehlo.add"
    ):
        raise unsupported(
            operation.name, "is served where it selects by GE or LE and scatters by add, as pooling does"
        )
    windows = _windows(operation)
    selection = _SELECTIONS[direction]

    def emit(operands: Arrays) -> Arrays:
        operand, source, start = operands
        scattered = primitives.select_and_scatter_add_p.bind(
            source, operand, select_prim=selection, **windows
        )
        if is_identity("stablehlo.add", start):
            return [scattered]
        return [lax.add(scattered, lax.broadcast_in_dim(start, scattered.shape, ()))]

    return emit


BUILDERS: Final[Mapping[str, Build]] = {
    "stablehlo.reduce_window": _reduce_window,
    "stablehlo.select_and_scatter": _select_and_scatter,
}
