"""Primitives of JAX's library that become composites: their parameters are plain data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from jax.extend import core

from pullback.export._composites import emit_composite
from pullback.export._equations import bind, types_of
from pullback.export._rewriting import Handler, Rewriting
from pullback.export.errors import UnsupportedOperationError
from pullback.program.composites import LIBRARY

# Parameters that composites do not carry. Each has one value, or does not change the result.
_FIXED: Final[dict[tuple[str, str], tuple[Any, ...]]] = {
    ("eigh", "subset_by_index"): (None,),
    ("svd", "subset_by_index"): (None,),
    ("tridiagonal_solve", "perturb_singular"): (False,),
    ("schur", "select_callable"): (None,),
}
_IMMATERIAL: Final = frozenset(
    {
        *("accuracy", "algorithm", "implementation", "input_dtype", "is_stable", "out_sharding", "sharding"),
        *("unroll", "use_magma"),
    }
)


def _emit(_: Rewriting, equation: core.JaxprEqn, inputs: Sequence[Any]) -> list[Any]:
    name = equation.primitive.name
    schema = LIBRARY[name]
    _require_known(name, equation.params, set(schema))

    def decomposition(*operands: Any) -> list[Any]:
        return bind(equation, operands)

    decomposition.__name__ = name
    return emit_composite(name, decomposition, inputs, schema, equation.params)


def _require_known(name: str, parameters: dict[str, Any], schema: set[str]) -> None:
    for parameter, value in parameters.items():
        if parameter in schema or parameter in _IMMATERIAL:
            continue
        if value not in _FIXED.get((name, parameter), ()):
            raise UnsupportedOperationError(
                f"{name} has {parameter}={value!r}, which programs cannot say; "
                "use the default, or write what it does with other operations"
            )


def _emit_power(rewriting: Rewriting, equation: core.JaxprEqn, inputs: Sequence[Any]) -> list[Any]:
    """A power with an integer exponent; with one of floating point, it is an operation of StableHLO."""
    if np.issubdtype(types_of(equation.invars)[1].dtype, np.integer):
        return _emit(rewriting, equation, inputs)
    return bind(equation, inputs)


HANDLERS: Final[dict[str, Handler]] = {**dict.fromkeys(LIBRARY, _emit), "pow": _emit_power}
