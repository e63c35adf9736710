"""Subscripts: `x[1]`, `x[1:, ..., newaxis]`, `x[[0, 2]]`, `x.shape[0]`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import jax
import jax.numpy as jnp

from pullback_server.compute.formats.formula.diagnostics import FormulaError
from pullback_server.compute.formats.formula.limits import MAX_RANK
from pullback_server.compute.formats.formula.values import (
    Value,
    as_array,
    as_operand,
    describe,
    is_integer,
)

_KNOWN: Final = "Write an integer, or one that follows from shapes, such as x.shape[0] - 1."


def make_slice(start: Value, stop: Value, step: Value) -> slice:
    """A slice of integers, None where a bound is left out.

    Raises:
        FormulaError: If a bound is anything else, or the step is 0.
    """
    for name, bound in (("start", start), ("stop", stop), ("step", step)):
        if bound is not None and not is_integer(bound):
            raise FormulaError(f"the {name} of a slice is {describe(bound)}; it must be an integer", _KNOWN)
    if step == 0:
        raise FormulaError("the step of a slice is 0", "Write a step such as 2, or -1 for the reverse.")
    return slice(start, stop, step)


def subscript(base: Value, items: Sequence[Value]) -> Value:
    """`base[items]`: of an array as `jax.numpy` does, of a tuple one entry or a slice.

    Raises:
        FormulaError: If an index is out of range, of a wrong kind, or one too many.
    """
    if isinstance(base, tuple):
        return _entry(base, items)
    array = as_operand(base)
    if not isinstance(array, jax.Array):
        raise FormulaError(f"the number {describe(base)} has no axes to index", "Remove the index.")
    index = tuple(_item(item) for item in _flat(items))
    _check(array.shape, index)
    return array[index]


def _entry(entries: tuple[Any, ...], items: Sequence[Value]) -> Value:
    index = items[0]
    if len(items) == 1 and isinstance(index, slice):
        return entries[index]
    if len(items) != 1 or not isinstance(index, int) or not is_integer(index):
        raise FormulaError("a tuple takes one integer or slice as its index", "Write it like x.shape[0].")
    if not -len(entries) <= index < len(entries):
        raise FormulaError(
            f"index {index} is out of range for a tuple of {len(entries)}", _range(len(entries))
        )
    entry: Value = entries[index]
    return entry


def _flat(items: Sequence[Value]) -> Sequence[Value]:
    """The items, taken out of a tuple that is the only one, as in `i = (0, 1); x[i]`."""
    return items[0] if len(items) == 1 and isinstance(items[0], tuple) else items


def _item(item: Value) -> Any:
    if item is None or item is ... or isinstance(item, slice) or is_integer(item):
        return item
    if not isinstance(item, jax.Array | list):
        raise FormulaError(
            f"{describe(item)} is no index", "Use integers, slices, ..., newaxis or integer arrays."
        )
    array = as_array(item)
    if array.dtype == jnp.bool_:
        advice = "The shape would depend on values; write where(condition, x, 0) instead."
        raise FormulaError("an array of conditions cannot be an index", advice)
    if not jnp.issubdtype(array.dtype, jnp.integer):
        raise FormulaError(f"{describe(array)} is no index", "Index arrays hold integers.")
    return array


def _check(shape: tuple[int, ...], index: tuple[Any, ...]) -> None:
    if len(index) > 2 * MAX_RANK:
        raise FormulaError(f"{len(index)} indices are given; the limit is {2 * MAX_RANK}", "Use fewer.")
    if sum(item is ... for item in index) > 1:
        raise FormulaError("an index has more than one ellipsis", "Write one ... at most.")
    taking = [item for item in index if item is not None and item is not ...]
    if len(taking) > len(shape):
        what = f"{len(taking)} indices are given for an array of {len(shape)} axes, shape {describe(shape)}"
        raise FormulaError(what, "Remove indices, or add axes with newaxis.")
    before = index[: next((n for n, item in enumerate(index) if item is ...), len(index))]
    count = sum(item is not None for item in before)
    axes = [*range(count), *range(len(shape) - len(taking) + count, len(shape))]
    for axis, item in zip(axes, taking, strict=True):
        _require_in_range(item, axis, shape[axis])


def _require_in_range(item: Any, axis: int, size: int) -> None:
    if isinstance(item, int) and not -size <= item < size:
        raise FormulaError(f"index {item} is out of range for axis {axis} of size {size}", _range(size))


def _range(size: int) -> str:
    if size == 0:
        return "There is nothing to index."
    return f"Use 0 to {size - 1}, or -{size} to -1 from the end."
