"""Emitting composites of Pullback's namespace."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import jax
import numpy as np
from jax import lax

from pullback.export.errors import UnsupportedOperationError
from pullback.program.composites import VERSION, Kind, Parameters, composite_name
from pullback.program.elements import element_of


def emit_composite(
    operation: str,
    decomposition: Callable[..., Any],
    inputs: Sequence[Any],
    schema: Parameters,
    parameters: Mapping[str, Any],
) -> list[Any]:
    """Emits `pullback.<operation>` with the parameters that its schema names.

    Args:
        operation: The operation's name in the namespace.
        decomposition: What any other reader of the module computes instead.
        inputs: The operands.
        schema: The parameters that the composite has.
        parameters: Their values; None is left out.
    """
    attributes = {
        name: _ENCODERS[parameter.kind](parameters[name])
        for name, parameter in schema.items()
        if not (parameter.optional and parameters[name] is None)
    }
    # Inside a function of its own, since a composite turns constants that it captures into operands.
    inner = jax.jit(decomposition)
    composite = lax.composite(lambda *operands, **_: inner(*operands), composite_name(operation), VERSION)
    outputs = composite(*inputs, **attributes)
    return list(outputs) if isinstance(outputs, tuple | list) else [outputs]


def _element(dtype: Any) -> str:
    return element_of(np.dtype(dtype)).value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise UnsupportedOperationError(f"{value!r} cannot be written as text into a program")
    return value


_ENCODERS: Final[Mapping[Kind, Callable[[Any], Any]]] = {
    Kind.INTEGER: int,
    Kind.INTEGERS: lambda values: tuple(map(int, values)),
    Kind.FLAG: bool,
    Kind.ELEMENT: _element,
    Kind.NUMBER: float,
    Kind.TEXT: _text,
    Kind.TEXTS: lambda values: tuple(map(_text, values)),
    Kind.MODULE: int,
}
