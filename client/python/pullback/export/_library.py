"""Primitives of JAX's library that become composites: their parameters are plain data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import jax
import numpy as np
from jax.extend import core

from pullback.export._composites import emit_composite
from pullback.export._equations import bind, types_of
from pullback.export._rewriting import Handler, Rewriting
from pullback.export.errors import UnsupportedOperationError
from pullback.program.composites import COMPLEX, LIBRARY

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
    return emit_composite(name, _bound(equation), inputs, schema, equation.params)


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


def _emit_approximate(_: Rewriting, equation: core.JaxprEqn, inputs: Sequence[Any]) -> list[Any]:
    rank = len(types_of(equation.invars)[0].shape)
    dimension = equation.params["reduction_dimension"] % rank
    parameters = {**equation.params, "reduction_dimension": dimension}
    return emit_composite("approx_top_k", _bound(equation), inputs, LIBRARY["approx_top_k"], parameters)


def _emit_gamma(_: Rewriting, equation: core.JaxprEqn, inputs: Sequence[Any]) -> list[Any]:
    """A draw, from the data of its key: composites have operands of numbers alone."""
    key, shape = inputs
    impl = str(jax.random.key_impl(key))

    def decomposition(data: Any, shape: Any) -> list[Any]:
        return bind(equation, [jax.random.wrap_key_data(data, impl=impl), shape])

    data = jax.random.key_data(key)
    parameters = {**equation.params, "impl": impl}
    return emit_composite("random_gamma", decomposition, [data, shape], LIBRARY["random_gamma"], parameters)


def _emit_platform(_: Rewriting, equation: core.JaxprEqn, inputs: Sequence[Any]) -> list[Any]:
    """The number of the branch for the server's own platform, whichever that is."""
    platforms = [",".join(group or ()) for group in equation.params["platforms"]]
    schema = LIBRARY["platform_index"]
    return emit_composite("platform_index", _bound(equation), inputs, schema, {"platforms": platforms})


def _emit_choice(rewriting: Rewriting, equation: core.JaxprEqn, inputs: Sequence[Any]) -> list[Any]:
    """A choice of branches; every branch is kept, since the server chooses among platforms."""
    branches = tuple(map(rewriting.rewrite, equation.params["branches"]))
    return bind(equation, inputs, branches=branches, branches_platforms=None)


def _bound(equation: core.JaxprEqn) -> Callable[..., list[Any]]:
    def decomposition(*operands: Any) -> list[Any]:
        return bind(equation, operands)

    decomposition.__name__ = equation.primitive.name
    return decomposition


def _emit_complex(rewriting: Rewriting, equation: core.JaxprEqn, inputs: Sequence[Any]) -> list[Any]:
    """An operation that is one of StableHLO too, unless it is of complex numbers."""
    if np.issubdtype(types_of(equation.invars)[0].dtype, np.complexfloating):
        return _emit(rewriting, equation, inputs)
    return bind(equation, inputs)


HANDLERS: Final[dict[str, Handler]] = {
    **dict.fromkeys(LIBRARY, _emit),
    "pow": _emit_power,
    **dict.fromkeys(COMPLEX, _emit_complex),
    "approx_top_k": _emit_approximate,
    "random_gamma": _emit_gamma,
    "platform_index": _emit_platform,
    "cond": _emit_choice,
}
