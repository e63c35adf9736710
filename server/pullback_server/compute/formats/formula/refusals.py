"""Words for what JAX refused: the operator or function, what it was given, and JAX's reason."""

from __future__ import annotations

from collections.abc import Sequence

import jax.numpy as jnp

from pullback_server.compute.formats.formula.diagnostics import FormulaError, brief
from pullback_server.compute.formats.formula.functions.table import FUNCTIONS
from pullback_server.compute.formats.formula.values import Value, as_operand, describe, shape_of

_LONGEST_REASON = 240


def refused_operator(symbol: str, values: Sequence[Value], error: Exception) -> FormulaError:
    """An operator that JAX refused for these operands."""
    given = _listing(values)
    if symbol != "@" and not _broadcast(values):
        advice = "Make the shapes equal, or give one an axis of size 1, as in x[:, newaxis]."
        return FormulaError(f"{symbol} does not take {given}: the shapes do not broadcast", advice)
    advice = "Change the shapes or the types of the operands."
    return FormulaError(f"{symbol} does not take {given}: {_reason(error)}", advice)


def refused_call(name: str, values: Sequence[Value], error: Exception) -> FormulaError:
    """A function that JAX refused for these arguments."""
    what = f"{name} does not take {_listing(values)}: {_reason(error)}"
    return FormulaError(what, f"It is called as {FUNCTIONS[name].usage}.")


def refused_index(base: Value, error: Exception) -> FormulaError:
    """A subscript that JAX refused."""
    what = f"{describe(base)} cannot be indexed so: {_reason(error)}"
    return FormulaError(what, "Change the index.")


def refused(error: Exception) -> FormulaError:
    """Anything else that JAX refused."""
    return FormulaError(_reason(error), "Change this part of the formula.")


def _listing(values: Sequence[Value]) -> str:
    return " and ".join(map(describe, values)) or "no arguments"


def _reason(error: Exception) -> str:
    return brief(str(error) or type(error).__name__, _LONGEST_REASON).rstrip(".")


def _broadcast(values: Sequence[Value]) -> bool:
    try:
        jnp.broadcast_shapes(*(shape_of(as_operand(value)) for value in values))
    except ValueError:
        return False
    return True
