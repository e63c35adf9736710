"""Reads jaxprs, which the supported versions of JAX write with small differences."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import jax
import jax.numpy as jnp
from jax.extend import core
from jax.interpreters import partial_eval

from pullback.program.elements import ElementType, element_of
from pullback.program.tensors import TensorType

Jaxpr = Any
"""A jaxpr, closed or not: JAX 0.10 has two classes, JAX 0.12 one."""
_JAXPRS: Final = (core.Jaxpr, core.ClosedJaxpr)
# Their functions say how two elements become one; the operation's own cost counts them.
_COMBINING: Final = ("reduce", "scatter", "select_and_scatter", "select_and_gather", "argmax", "argmin")


@dataclass(frozen=True, slots=True)
class Inner:
    """What stands inside of an equation.

    Attributes:
        name: What it is of the equation.
        jaxpr: What it computes.
        trips: How often it runs in one run of the equation; None where only the data say.
        choice: Whether it is one of several branches, of which one runs.
    """

    name: str
    jaxpr: Jaxpr
    trips: int | None = 1
    choice: bool = False


def opened(jaxpr: Jaxpr) -> Jaxpr:
    """The jaxpr itself of one that may be closed."""
    return jaxpr.jaxpr if isinstance(jaxpr, core.ClosedJaxpr) else jaxpr


def without_dead_code(jaxpr: Jaxpr) -> Jaxpr:
    """A jaxpr without the equations that no output needs, with the same inputs and outputs."""
    inner = opened(jaxpr)
    alive, _ = partial_eval.dce_jaxpr(inner, [True] * len(inner.outvars), instantiate=True)
    return alive


def inner_of(equation: core.JaxprEqn) -> tuple[Inner, ...]:
    """What stands inside of an equation that shows it; nothing for most."""
    parameters = equation.params
    match equation.primitive.name:
        case "scan":
            return (Inner("body", parameters["jaxpr"], parameters["length"]),)
        case "while":
            return (
                Inner("condition", parameters["cond_jaxpr"], None),
                Inner("body", parameters["body_jaxpr"], None),
            )
        case "cond":
            branches = enumerate(parameters["branches"])
            return tuple(Inner(f"branch {i}", branch, choice=True) for i, branch in branches)
        case "custom_linear_solve":
            return (Inner("solve", parameters["jaxprs"].solve),)
        case name if name.startswith(_COMBINING):
            return ()
        case _:
            return tuple(_called(parameters))


def _called(parameters: dict[str, Any]) -> Iterator[Inner]:
    name = str(parameters.get("name", "call"))
    for value in parameters.values():
        for part in value if isinstance(value, tuple | list) else (value,):
            if isinstance(part, _JAXPRS):
                yield Inner(name, part)


def types_of(variables: Any) -> tuple[TensorType, ...]:
    """The types of variables; a token, which has no elements, is left out."""
    return tuple(type_of(variable) for variable in variables if hasattr(variable.aval, "shape"))


def type_of(variable: Any) -> TensorType:
    """The type of a variable; of a random key, that of its bits."""
    shape, dtype = variable.aval.shape, variable.aval.dtype
    if jnp.issubdtype(dtype, jax.dtypes.prng_key):
        key = jax.ShapeDtypeStruct(shape, dtype)  # type: ignore[no-untyped-call]
        bits = jax.eval_shape(jax.random.key_data, key)
        return TensorType(element_of(bits.dtype), tuple(bits.shape))
    if dtype == jax.dtypes.float0:
        return TensorType(ElementType.I1, tuple(shape))
    return TensorType(element_of(dtype), tuple(shape))
