"""What a function says to people while it runs, and a server does not pass on: prints and failed checks.

Results do not depend on a print, so it is left out. A failed check of equinox (`error_if`), which raises an
error on the user's machine, gives NaN in place of results, as equinox does with `EQX_ON_ERROR=nan`.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Final

import jax.numpy as jnp
from jax.extend import core

from pullback.export._equations import is_differentiable, types_of
from pullback.export._rewriting import Handler, Rewriting

_PRINTING: Final = frozenset({"debug_callback", "debug_print"})
_CALLBACK: Final = "pure_callback"
_CHECKS: Final = "equinox._errors"


def is_left_out(equation: core.JaxprEqn) -> bool:
    """Whether an equation prints, or raises the error of a failed check."""
    return equation.primitive.name in _PRINTING or _raises(equation)


def _raises(equation: core.JaxprEqn) -> bool:
    if equation.primitive.name != _CALLBACK:
        return False
    called = getattr(equation.params["callback"], "callback_func", None)
    return getattr(called, "__module__", None) == _CHECKS


def _leave_out(_: Rewriting, equation: core.JaxprEqn, __: Sequence[Any]) -> list[Any]:
    warnings.warn(
        f"the function uses {equation.primitive.name}, which a server would not show you; it is exported "
        "without it",
        stacklevel=2,
    )
    return []


def _fail(_: Rewriting, equation: core.JaxprEqn, __: Sequence[Any]) -> list[Any]:
    """What stands in the place of results after a failed check."""
    return [_invalid(result.shape, result.dtype) for result in types_of(equation.outvars)]


def _invalid(shape: Any, dtype: Any) -> Any:
    if is_differentiable(jnp.zeros((), dtype)):
        return jnp.full(shape, jnp.nan, dtype)
    return ~jnp.zeros(shape, dtype)


HANDLERS: Final[dict[str, Handler]] = {**dict.fromkeys(_PRINTING, _leave_out), _CALLBACK: _fail}
