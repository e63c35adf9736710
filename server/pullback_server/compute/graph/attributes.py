"""The parameters of equations, as text for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from jax.extend import core

from pullback_server.compute.graph.limits import LONGEST_TEXT

# They say how JAX is to go about it, or say again what stands beside.
_UNTOLD: Final = frozenset(
    {
        *("keep_unused", "inline", "donated_invars", "compiler_options_kvs", "symbolic_zeros", "num_consts"),
        *("cond_nconsts", "body_nconsts", "num_carry", "linear", "unroll", "shape", "weak_type", "jaxpr"),
        *("in_shardings", "out_shardings", "in_layouts", "out_layouts", "indices_are_sorted", "prevent_cse"),
        *("unique_indices", "differentiated", "const_lengths"),
    }
)


def attributes_of(equation: core.JaxprEqn) -> Mapping[str, str]:
    """The parameters that are numbers, texts, or lists of them, and are not left at nothing."""
    # In one order, whatever the process: JAX keeps some in that of a set.
    told = {name: value for name, value in sorted(equation.params.items()) if name not in _UNTOLD}
    return {name: _spell(value) for name, value in told.items() if _is_plain(value)}


def _is_plain(value: Any) -> bool:
    if isinstance(value, tuple):
        return bool(value) and all(map(_is_plain, value))
    return isinstance(value, bool | int | float | str | np.integer)


def _spell(value: Any) -> str:
    text = str(_python(value))
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 3]}..."


def _python(value: Any) -> Any:
    """The same with lists for tuples and Python's integers for numpy's, which are spelled in another way."""
    if isinstance(value, tuple):
        return [_python(part) for part in value]
    return int(value) if isinstance(value, np.integer) else value
