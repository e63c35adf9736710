"""Values that go back to the element that each window selects: the derivative of pooling, and its like."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend.core import Primitive, primitives

from pullback_server.compute.formats.stablehlo.building import Arrays, Body, Build, Emit, Scope
from pullback_server.compute.formats.stablehlo.operations.elementwise import on_scalars
from pullback_server.compute.formats.stablehlo.operations.reductions.combining import (
    Combine,
    as_taken,
    combiner_of,
    fold,
    is_identity,
)
from pullback_server.compute.formats.stablehlo.operations.reductions.regions import binary_operation
from pullback_server.compute.formats.stablehlo.operations.reductions.windows import Windows, windows_of
from pullback_server.compute.formats.stablehlo.operations.scattering import scatter_elements
from pullback_server.compute.formats.stablehlo.syntax import Block, Operation

_SELECTIONS: Final[Mapping[str, Primitive]] = {"GE": primitives.ge_p, "LE": primitives.le_p}


def _select_and_scatter(operation: Operation, scope: Scope) -> Emit:
    select, scatter = operation.blocks
    selection = _known_selection(select)
    if selection is not None and combiner_of(scatter) == "stablehlo.add":
        return _adding(windows_of(operation), selection)
    return _general(operation, scope)


def _known_selection(select: Block) -> Primitive | None:
    if binary_operation(select) != "stablehlo.compare":
        return None
    return _SELECTIONS.get(select.operations[0].attributes["comparison_direction"])


def _adding(windows: Windows, selection: Primitive) -> Emit:
    """As JAX's own pooling does."""

    def emit(operands: Arrays) -> Arrays:
        operand, source, start = operands
        scattered = primitives.select_and_scatter_add_p.bind(
            source,
            operand,
            select_prim=selection,
            window_dimensions=windows.sizes,
            window_strides=windows.strides,
            padding=windows.padding,
        )
        if is_identity("stablehlo.add", start):
            return [scattered]
        return [lax.add(scattered, lax.broadcast_in_dim(start, scattered.shape, ()))]

    return emit


def _general(operation: Operation, scope: Scope) -> Emit:
    """Any two regions."""
    windows = windows_of(operation)
    select, scatter = operation.blocks
    selects = scope.body(select)
    scatters = scatter_elements(scatter, scope)

    def emit(operands: Arrays) -> Arrays:
        operand, source, start = operands[:3]
        known = dict(zip(operation.captures, operands[3:], strict=True))
        prefers = _prefer(selects, [known[number] for number in select.captures])
        places = _selected_places(windows, prefers, *as_taken([operand], select))
        initial, source = as_taken([lax.broadcast(start, (operand.size,)), source], scatter)
        captured = [known[number] for number in scatter.captures]
        result = scatters(captured, initial, lax.reshape(places, (places.size,)), source.reshape(-1))
        return [lax.reshape(result, operand.shape)]

    return emit


def _prefer(selects: Body, captured: Arrays) -> Combine:
    """Of two elements with their places, the one that the region selects; what has no place loses."""

    def combine(left: Arrays, right: Arrays) -> list[jax.Array]:
        (chosen,) = on_scalars(selects, captured, [left[0], right[0]])
        keep = (right[1] < 0) | ((left[1] >= 0) & chosen)
        return [lax.select(keep, one, other) for one, other in zip(left, right, strict=True)]

    return combine


def _selected_places(windows: Windows, prefers: Combine, operand: jax.Array) -> jax.Array:
    """The place of the selected element of each window, counted in row-major order."""
    numbers = np.arange(operand.size, dtype=np.int64).reshape(operand.shape)
    zero, nowhere = lax.full_like(operand, 0, shape=()), jnp.int64(-1)
    arrays = [windows.gather(operand, zero), windows.gather(jnp.asarray(numbers), nowhere)]
    return fold(prefers, [zero, nowhere], arrays)[1]


BUILDERS: Final[Mapping[str, Build]] = {"stablehlo.select_and_scatter": _select_and_scatter}
