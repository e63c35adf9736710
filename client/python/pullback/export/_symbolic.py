"""Functions of symbolic sizes, by way of `jax.export`.

`jax.export` knows how to lower a function at symbolic sizes, and brings the VJP that JAX takes there, with
every custom rule; so reverse mode, and forward mode around it, are JAX's own. Forward mode alone is derived
from what is lowered, in which rules for it are gone; functions that have such rules are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import jax
from jax import export

from pullback.export._equations import all_equations
from pullback.export._refusals import refuse_unservable
from pullback.export.errors import TracingError, UnsupportedOperationError
from pullback.program.container import JaxExport

# Lowered for a TPU, a function has the fewest calls into a platform's own libraries.
_PLATFORMS: Final = ("tpu", "cpu")
_FORWARD_RULES: Final = frozenset({"custom_jvp_call", "stop_gradient"})


def is_symbolic(examples: Sequence[Any]) -> bool:
    """Whether an example has a symbolic size (`jax.export.symbolic_shape`)."""
    sizes = (size for leaf in jax.tree.leaves(examples) for size in getattr(leaf, "shape", ()))
    return any(export.is_symbolic_dim(size) for size in sizes)


def export_symbolic(function: Callable[..., Any], examples: Sequence[Any], names: Sequence[str]) -> JaxExport:
    """Exports a function of symbolic sizes.

    Args:
        function: The function.
        examples: One per argument; all symbolic sizes are of one scope.
        names: The names of the arguments.

    Raises:
        TracingError: If JAX cannot trace the function at symbolic sizes.
        UnsupportedOperationError: If it does what cannot be served, or has derivative rules for forward mode.
    """
    exported = _exported(jax.jit(function), examples)
    order = int(any(jax.numpy.issubdtype(value.dtype, jax.numpy.inexact) for value in exported.out_avals))
    try:
        return JaxExport(bytes(exported.serialize(vjp_order=order)), tuple(names))
    except Exception as error:
        raise TracingError(
            f"JAX has no derivative of the function in reverse mode at symbolic sizes: {error}; register it "
            "at fixed sizes"
        ) from error


def _exported(function: Any, examples: Sequence[Any]) -> export.Exported:
    try:
        traced = function.trace(*examples)
    except Exception as error:
        raise _untraceable(error) from error
    refuse_unservable(traced.jaxpr)
    rules = {equation.primitive.name for equation in all_equations(traced.jaxpr)} & _FORWARD_RULES
    if rules:
        raise UnsupportedOperationError(
            f"the function uses {min(rules)}, whose derivative in forward mode would be lost at symbolic "
            "sizes; register it at fixed sizes, or, if its gradients are enough, pass what jax.export.export "
            "gives"
        )
    refusals: list[Exception] = []
    for platform in _PLATFORMS:
        try:
            return export.export(function, platforms=[platform])(*examples)
        except NotImplementedError as error:
            refusals.append(error)
        except Exception as error:
            raise _untraceable(error) from error
    raise UnsupportedOperationError(f"an operation has no StableHLO form at symbolic sizes: {refusals[-1]}")


def _untraceable(error: Exception) -> TracingError:
    return TracingError(
        f"JAX cannot trace the function at symbolic sizes: {type(error).__name__}: {error}; register it at "
        "fixed sizes, or write it without asking how large its arguments are"
    )
