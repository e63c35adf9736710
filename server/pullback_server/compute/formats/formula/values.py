"""What the parts of a formula are worth, and how that is told to people.

Numbers that the text fixes stay Python numbers, since JAX types those weakly: `2 * x` has the type of `x`.
The same holds for arrays made of nothing but such numbers, see `weakly_typed`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from types import EllipsisType
from typing import Any, Final, TypeGuard, cast

import jax
import jax.numpy as jnp
import numpy as np

from pullback.program.elements import element_of
from pullback.program.tensors import TensorType
from pullback_server.compute.formats.formula.diagnostics import FormulaError, brief
from pullback_server.compute.formats.formula.limits import MAX_RANK
from pullback_server.compute.formats.formula.syntax import Number

Operand = jax.Array | Number
Value = Operand | str | EllipsisType | slice | tuple[Any, ...] | list[Any] | None

_NO_TUPLE: Final = "Write square brackets, such as [1, 2], for an array, or take one part, such as shape[0]."
_LARGEST_I64: Final = 2**63 - 1
_WEAK_KINDS: Final[dict[str, type[int | float | complex]]] = {"i": int, "f": float, "c": complex}


def is_number(value: Value) -> TypeGuard[Number]:
    """Whether the value is a number that the text fixes."""
    return isinstance(value, int | float | complex)


def is_integer(value: Value) -> bool:
    """Whether the value is an integer that the text fixes; True and False are none."""
    return isinstance(value, int) and not isinstance(value, bool)


def as_operand(value: Value) -> Operand:
    """The array or number that a value is; an array literal becomes an array.

    Raises:
        FormulaError: If it is neither, or if the parts of an array literal have different shapes.
    """
    if isinstance(value, jax.Array | int | float | complex):
        return value
    if isinstance(value, list):
        return _array_literal(value)
    advice = _NO_TUPLE if isinstance(value, tuple) else "Write an array or a number."
    raise FormulaError(f"{describe(value)} stands where an array is due", advice)


def as_array(value: Value) -> jax.Array:
    """As `as_operand`, with a number as an array of rank 0."""
    operand = as_operand(value)
    if isinstance(operand, jax.Array):
        return operand
    _require_i64([operand])
    return jnp.asarray(operand)


def shape_of(operand: Operand) -> tuple[int, ...]:
    """The shape; that of a number is ()."""
    return operand.shape if isinstance(operand, jax.Array) else ()


def is_weak(value: Value) -> bool:
    """Whether the value is a number or an array with JAX's weak type."""
    return is_number(value) or (isinstance(value, jax.Array) and bool(value.weak_type))


def weakly_typed(array: jax.Array) -> jax.Array:
    """The same array with JAX's weak type, so that it takes the type of what it meets.

    An array of a type that is no default of JAX's (booleans among them) comes back as it is. Scattering
    into a weakly typed array is JAX's only public way to a weakly typed array of given elements.
    """
    kind = _WEAK_KINDS.get(array.dtype.kind)
    if array.weak_type or kind is None or array.dtype != jnp.result_type(kind):
        return array
    return jax.lax.full(array.shape, kind(0)).at[...].set(array)


def require_range(operands: Sequence[Operand]) -> None:
    """Checks that integers fit the integer arrays that they meet: JAX would cut them off without a word.

    Raises:
        FormulaError: If one does not.
    """
    arrays = [operand for operand in operands if isinstance(operand, jax.Array)]
    if not arrays or not all(jnp.issubdtype(array.dtype, jnp.integer) for array in arrays):
        return
    dtype = jnp.result_type(*arrays)
    info = jnp.iinfo(dtype)  # type: ignore[no-untyped-call]
    for operand in operands:
        if isinstance(operand, int) and not info.min <= operand <= info.max:
            what = f"the integer {operand} is out of the range of {element_of(np.dtype(dtype))}"
            raise FormulaError(what, f"Use {info.min} to {info.max}, or declare a wider type.")


def require_size(shape: Iterable[int], limit: int) -> None:
    """Checks that an array of this shape may be built.

    Raises:
        FormulaError: If it has more than `limit` elements or too many axes.
    """
    sizes = tuple(shape)
    if len(sizes) > MAX_RANK:
        what = f"an array of {len(sizes)} axes is built here; the limit is {MAX_RANK}"
        raise FormulaError(what, "Use fewer axes.")
    if math.prod(sizes) > limit:
        found = f"shape {describe(sizes)}, {math.prod(sizes)} elements"
        what = f"an array of {found}, is built here; the limit is {limit}"
        raise FormulaError(what, "Use smaller sizes, or sum over an axis before another is added.")


def describe(value: Value) -> str:
    """What a value is, for messages: `f64[8,3]`, `2`, `the tuple (2, 3)`."""
    match value:
        case jax.Array():
            text = str(TensorType(element_of(np.dtype(value.dtype)), value.shape))
        case list():
            text = "an array literal"
        case str():
            text = f"the text {brief(repr(value))}"
        case tuple() if all(map(is_integer, value)):
            text = brief(f"({', '.join(map(str, value))}{',' * (len(value) == 1)})")
        case tuple():
            text = f"a tuple of {len(value)}"
        case slice():
            text = "a slice"
        case _:
            text = "an ellipsis" if value is ... else str(value)
    return text


def _array_literal(parts: list[Any]) -> jax.Array:
    numbers = _numbers(parts)
    if numbers is not None:
        return weakly_typed(jnp.asarray(numbers))
    operands = [as_operand(part) for part in parts]
    shapes = {shape_of(operand): operand for operand in operands}
    if len(shapes) > 1:
        first, second, *_ = shapes.values()
        what = (
            f"the parts of an array literal have different shapes: {describe(first)} and {describe(second)}"
        )
        raise FormulaError(
            what, "Give all parts one shape; concatenate([a, b]) joins parts of different length."
        )
    return _stacked(operands)


def _stacked(operands: list[Operand]) -> jax.Array:
    _require_i64(operand for operand in operands if is_number(operand))
    try:
        return jnp.stack(cast("list[jax.Array]", operands))
    except (TypeError, ValueError) as error:
        found = " and ".join(sorted({describe(operand) for operand in operands}))
        what = f"the parts of an array literal have no common type: {found}"
        raise FormulaError(what, "Declare the arguments with types that JAX promotes.") from error


def _numbers(parts: list[Any]) -> np.ndarray[Any, Any] | None:
    """The array of a literal that holds nothing but numbers, all rows of one length; else None."""
    if all(map(is_number, parts)):
        return _row(parts)
    if not all(isinstance(part, list) for part in parts):
        return None
    rows = [row for part in parts if (row := _numbers(part)) is not None]
    same = len(rows) == len(parts) and len({row.shape for row in rows}) == 1
    return np.stack(rows) if same else None


def _row(numbers: list[Number]) -> np.ndarray[Any, Any]:
    _require_i64(numbers)
    return np.array(numbers)


def _require_i64(numbers: Iterable[Number]) -> None:
    for number in numbers:
        if isinstance(number, int) and number > _LARGEST_I64:
            what = f"an array cannot hold the integer {number}: it is beyond i64"
            raise FormulaError(what, "Write it with a point or an exponent, such as 1e19.")
