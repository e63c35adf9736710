"""What a parameter of a function takes, and how a value is read as that.

Only arrays can depend on the arguments of a formula. All else (axes, sizes, flags) is fixed by the text and
the declared shapes, as JAX's tracing demands.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from pullback_server.compute.formats.formula.diagnostics import FormulaError
from pullback_server.compute.formats.formula.limits import MAX_ELEMENTS
from pullback_server.compute.formats.formula.values import (
    Operand,
    Value,
    as_operand,
    describe,
    is_integer,
    is_number,
    require_size,
)

_LARGEST_COUNT: Final = 2**31 - 1
_MOST_DECIMALS: Final = 300  # 10.0**decimals stays finite in f64
_FIXED: Final = "It must be fixed by the text or by shapes, such as x.shape[0]."


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of parameter.

    Attributes:
        name: What it takes, for messages and the reference.
        read: Gives what the rule of a function gets for a value; raises a FormulaError if the value is
            of another kind.
    """

    name: str
    read: Callable[[Value], Any]


class _NotOfKindError(Exception):
    pass


def _kind(name: str, read: Callable[[Value], Any], advice: str = _FIXED) -> Kind:
    def checked(value: Value) -> Any:
        try:
            return read(value)
        except _NotOfKindError:
            what = f"{describe(value)} stands where {name} is due"
            raise FormulaError(what, advice) from None

    return Kind(name, checked)


def _integer(value: Value) -> int:
    if not isinstance(value, int) or not is_integer(value):
        raise _NotOfKindError
    return value


def _small_integer(value: Value) -> int:
    number = _integer(value)
    if abs(number) > _LARGEST_COUNT:
        raise FormulaError(f"{number} is too large here", f"Use at most {_LARGEST_COUNT}.")
    return number


def _decimals(value: Value) -> int:
    number = _integer(value)
    if abs(number) > _MOST_DECIMALS:
        raise FormulaError(f"{number} decimals are too many", f"Use at most {_MOST_DECIMALS}.")
    return number


def _integers(value: Value) -> int | tuple[int, ...]:
    if isinstance(value, tuple):
        return tuple(map(_small_integer, value))
    return _small_integer(value)


def _axes(value: Value) -> int | tuple[int, ...] | None:
    return None if value is None else _integers(value)


def _shape(value: Value) -> tuple[int, ...]:
    sizes = _integers(value)
    return sizes if isinstance(sizes, tuple) else (sizes,)


def _new_shape(value: Value) -> tuple[int, ...]:
    shape = _shape(value)
    if min(shape, default=0) < 0:
        raise FormulaError(f"the shape {describe(shape)} has a negative size", "Use sizes from 0.")
    require_size(shape, MAX_ELEMENTS)
    return shape


def _flag(value: Value) -> bool:
    if not isinstance(value, bool):
        raise _NotOfKindError
    return value


def _number(value: Value) -> int | float:
    if isinstance(value, int | float) and math.isfinite(value):
        return value
    raise _NotOfKindError


def _text(value: Value) -> str:
    if not isinstance(value, str):
        raise _NotOfKindError
    return value


def _order(value: Value) -> int | float | str | None:
    if value is None or isinstance(value, str) or (is_number(value) and not isinstance(value, complex)):
        return value
    raise _NotOfKindError


def _parts(value: Value) -> list[Operand]:
    if not isinstance(value, list | tuple) or not value:
        raise _NotOfKindError
    return [as_operand(part) for part in value]


ARRAY: Final = Kind("an array", as_operand)
INTEGER: Final = _kind("an integer", _small_integer)
DECIMALS: Final = _kind("a number of decimals", _decimals)
INTEGERS: Final = _kind("an integer or a tuple of integers", _integers)
AXIS: Final = _kind("an axis", lambda value: None if value is None else _small_integer(value))
AXES: Final = _kind("an axis or a tuple of axes", _axes)
SHAPE: Final = _kind("a shape", _shape)
NEW_SHAPE: Final = _kind("a shape", _new_shape)
FLAG: Final = _kind("True or False", _flag)
NUMBER: Final = _kind("a finite real number", _number)
TEXT: Final = _kind("a text in quotation marks", _text)
ORDER: Final = _kind("a number, inf, or a text such as 'fro'", _order)
PARTS: Final = _kind("a list of arrays", _parts, "Write the list here, such as [a, b].")
