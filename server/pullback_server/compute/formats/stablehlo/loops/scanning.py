"""Counted loops as `lax.scan`, which JAX reverses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
from jax import lax

from pullback.program.tensors import TensorType
from pullback_server.compute.formats.stablehlo.building import Arrays, Emit, Scope
from pullback_server.compute.formats.stablehlo.integers import Linear
from pullback_server.compute.formats.stablehlo.loops.counting import Counted
from pullback_server.compute.formats.stablehlo.loops.slicing import Path, Sliced, slice_loop, trip_block
from pullback_server.compute.formats.stablehlo.syntax import Operation


def build_counted(operation: Operation, scope: Scope, counted: Counted) -> Emit:
    """A `while` of a known number of trips: a scan over the arrays that it goes through."""
    if counted.trips == 0:
        return lambda operands: operands[: len(operation.operands)]
    loop_body = operation.blocks[1]
    sliced = slice_loop(loop_body, counted, scope.constants(operation), scope.block, scope.fresh)
    block = trip_block(loop_body, sliced)
    trip = scope.body(block)
    backwards = _is_backwards(sliced)

    def emit(operands: Arrays) -> Arrays:
        states = operands[: len(operation.operands)]
        known = dict(zip(operation.captures, operands[len(states) :], strict=True))
        known.update(zip(loop_body.arguments, states, strict=True))
        captured = [known[number] for number in block.captures]

        def step(carry: list[jax.Array], elements: list[jax.Array]) -> tuple[list[jax.Array], Any]:
            pairs = zip(elements, sliced.reads, strict=True)
            parts = [lax.expand_dims(element, (read.path.axis,)) for element, read in pairs]
            outs = trip(captured, [*carry, *parts])
            written = zip(outs[len(carry) :], sliced.writes, strict=True)
            return outs[: len(carry)], [lax.squeeze(out, (write.path.axis,)) for out, write in written]

        carry, stacked = lax.scan(
            step,
            [states[i] for i in sliced.carried],
            [_taken(known[read.source], read.path, counted.trips, backwards) for read in sliced.reads],
            length=counted.trips,
            reverse=backwards,
        )
        return _results(
            operation, counted, sliced, states, carry, _placed(sliced, states, stacked, backwards)
        )

    return emit


def _is_backwards(sliced: Sliced) -> bool:
    paths = [*(read.path for read in sliced.reads), *(write.path for write in sliced.writes)]
    return bool(paths) and all(path.step < 0 for path in paths)


def _taken(array: jax.Array, path: Path, trips: int, backwards: bool) -> jax.Array:
    """The elements of an array on a path, on the first axis, in the order in which a scan takes them."""
    if not path.covers(array.shape[path.axis], trips):
        ends = sorted((path.start, path.start + path.step * (trips - 1)))
        array = lax.slice_in_dim(array, ends[0], ends[1] + 1, abs(path.step), path.axis)
    if (path.step < 0) != backwards:
        array = lax.rev(array, (path.axis,))
    return _moved(array, path.axis, 0)


def _placed(
    sliced: Sliced, states: Sequence[jax.Array], stacked: Sequence[jax.Array], backwards: bool
) -> dict[int, jax.Array]:
    """The arrays that were written, whole, by their positions in the state."""
    whole = {}
    for write, stack in zip(sliced.writes, stacked, strict=True):
        path, trips = write.path, stack.shape[0]
        array = _moved(stack, 0, path.axis)
        if (path.step < 0) != backwards:
            array = lax.rev(array, (path.axis,))
        before = states[write.position]
        if not path.covers(before.shape[path.axis], trips):
            first = min(path.start, path.start + path.step * (trips - 1))
            array = lax.dynamic_update_slice_in_dim(before, array, first, path.axis)
        whole[write.position] = array
    return whole


def _moved(array: jax.Array, source: int, target: int) -> jax.Array:
    if source == target:
        return array
    order = [axis for axis in range(array.ndim) if axis != source]
    order.insert(target, source)
    return lax.transpose(array, order)


def _results(
    operation: Operation,
    counted: Counted,
    sliced: Sliced,
    states: Sequence[jax.Array],
    carry: Sequence[jax.Array],
    whole: dict[int, jax.Array],
) -> list[jax.Array]:
    results = dict(zip(sliced.carried, carry, strict=True)) | whole
    for i, tensor_type in enumerate(operation.result_types):
        if i in counted.invariants:
            results[i] = states[i]
        elif i not in results:
            results[i] = _final(counted.counters[i], counted.trips, tensor_type)
    return [results[i] for i in range(len(states))]


def _final(counter: Linear, trips: int, tensor_type: TensorType) -> jax.Array:
    """A counter that was not carried, after the last trip."""
    dtype = tensor_type.element.dtype
    value: jax.Array = lax.full(tensor_type.shape, counter.offset + counter.factor * trips, dtype)
    return value
