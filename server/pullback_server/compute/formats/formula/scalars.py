"""Arithmetic on numbers that the text fixes: Python's, held to 64 bits and to bounded time."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Final

from pullback_server.compute.formats.formula.diagnostics import FormulaError
from pullback_server.compute.formats.formula.limits import MAX_INTEGER, MIN_INTEGER
from pullback_server.compute.formats.formula.syntax import Number

Rule = Callable[..., Any]
_TOO_LARGE: Final = "the result is an integer of more than 64 bits"
_WRITE_A_FLOAT: Final = "Write a number with a point, such as 2.0, for floating-point arithmetic."
_BITS: Final = 64


def calculate(rule: Rule, *operands: Number) -> Number:
    """The result of an operator on numbers.

    Raises:
        FormulaError: If the numbers have no such result, or if it is an integer of more than 64 bits.
    """
    try:
        result: Number = rule(*operands)
    except ZeroDivisionError as error:
        raise FormulaError("this divides by zero", "Write inf or nan where that is meant.") from error
    except OverflowError as error:
        raise FormulaError("the result is too large for f64", "Write inf for infinity.") from error
    except TypeError as error:
        raise FormulaError(
            f"this has no meaning for {' and '.join(map(str, operands))}", _advice(operands)
        ) from error
    if isinstance(result, int) and not MIN_INTEGER <= result <= MAX_INTEGER:
        raise FormulaError(_TOO_LARGE, _WRITE_A_FLOAT)
    return result


def power(base: Number, exponent: Number) -> Number:
    """`base ** exponent`, which stays real for real numbers.

    Raises:
        FormulaError: If the result has more than 64 bits, known before it is computed, or is complex.
    """
    if isinstance(base, int) and isinstance(exponent, int) and abs(base) > 1 and exponent > _BITS:
        raise FormulaError(_TOO_LARGE, _WRITE_A_FLOAT)
    result: Number = base**exponent
    if isinstance(result, complex) and not isinstance(base, complex) and not isinstance(exponent, complex):
        what = f"{base} to the power {exponent} is complex"
        raise FormulaError(what, f"Write ({base} + 0j) ** {exponent} if that is meant.")
    return result


def invert(operand: Number) -> Number:
    """The negation of True or False, the bitwise complement of an integer."""
    return not operand if isinstance(operand, bool) else operator.invert(operand)  # type: ignore[arg-type]


def both(left: Number, right: Number) -> bool:
    """Whether both are nonzero."""
    return bool(left) and bool(right)


def either(left: Number, right: Number) -> bool:
    """Whether one of them is nonzero."""
    return bool(left) or bool(right)


def _advice(operands: tuple[Number, ...]) -> str:
    if any(isinstance(operand, complex) for operand in operands):
        return "Complex numbers have no order and no remainder; use real, imag or abs."
    return "Use whole numbers or conditions here."
