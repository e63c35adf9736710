"""Reading JAX's equations, in the little that differs between JAX versions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend import core

JVP_CALL = "custom_jvp_call"
VJP_CALL = "custom_vjp_call"
HI_CALL = "call_hi_primitive"
_HI_PRIMITIVE = "_prim"


def close(jaxpr: Any) -> core.ClosedJaxpr:
    """The jaxpr with its constants; an open one has none."""
    return jaxpr if isinstance(jaxpr, core.ClosedJaxpr) else core.ClosedJaxpr(jaxpr, ())


def types_of(variables: Sequence[Any]) -> list[jax.ShapeDtypeStruct]:
    """The types of variables or of abstract values, without JAX's weak typing."""
    avals = [getattr(variable, "aval", variable) for variable in variables]
    return [type_of(aval.shape, aval.dtype) for aval in avals]


def type_of(shape: Any, dtype: Any, *, weak: bool = False) -> jax.ShapeDtypeStruct:
    """A type as JAX traces it."""
    make: Callable[..., jax.ShapeDtypeStruct] = jax.ShapeDtypeStruct
    return make(shape, dtype, weak_type=weak)


def is_differentiable(value: Any) -> bool:
    """Whether a value's or type's element type has derivatives: floating-point or complex."""
    return bool(jnp.issubdtype(value.dtype, jnp.inexact))


def bind(equation: core.JaxprEqn, inputs: Sequence[Any], **changes: Any) -> list[Any]:
    """Applies an equation's primitive to other inputs, with some parameters changed."""
    primitive: Any = equation.primitive
    parameters = primitive.get_bind_params({**equation.params, **changes})
    outputs = primitive.bind(*inputs, **parameters)
    return list(outputs) if primitive.multiple_results else [outputs]


def has_rules(equation: core.JaxprEqn) -> bool:
    """Whether an equation's derivative is a rule of its own."""
    return equation.primitive.name in (JVP_CALL, VJP_CALL) or is_root(equation)


def is_root(equation: core.JaxprEqn) -> bool:
    """Whether an equation is `jax.lax.custom_root` as newer JAX versions have it."""
    return (
        equation.primitive.name == HI_CALL and type(equation.params[_HI_PRIMITIVE]).__name__ == "CustomRoot"
    )


def primal_of(equation: core.JaxprEqn) -> core.ClosedJaxpr:
    """What an equation with custom derivatives, or a "hi primitive" (`jax.experimental.hijax`), computes."""
    if equation.primitive.name != HI_CALL:
        return close(equation.params["call_jaxpr"])
    primitive = equation.params[_HI_PRIMITIVE]

    def expanded(*inputs: Any) -> list[Any]:
        return jax.tree.leaves(primitive.expand(*jax.tree.unflatten(primitive.in_tree, inputs)))

    return jax.make_jaxpr(expanded)(*types_of(equation.invars))


def nested_jaxprs(equation: core.JaxprEqn) -> list[core.ClosedJaxpr]:
    """The jaxprs among an equation's parameters."""
    return [close(leaf) for value in equation.params.values() for leaf in _leaves(value) if is_jaxpr(leaf)]


def is_jaxpr(value: Any) -> bool:
    """Whether a parameter is a jaxpr, closed, or open and without constants."""
    if isinstance(value, core.ClosedJaxpr):
        return True
    return isinstance(value, core.Jaxpr) and not value.constvars


def _leaves(value: Any) -> Sequence[Any]:
    return value if isinstance(value, tuple | list) else (value,)


def all_equations(jaxpr: core.ClosedJaxpr) -> Iterator[core.JaxprEqn]:
    """All equations, those of nested jaxprs included."""
    for equation in jaxpr.jaxpr.eqns:
        yield equation
        for nested in nested_jaxprs(equation):
            yield from all_equations(nested)


def replaced(
    jaxpr: core.ClosedJaxpr, body_of: Callable[[core.JaxprEqn], core.ClosedJaxpr | None]
) -> core.ClosedJaxpr:
    """The jaxpr with other jaxprs in the place of equations.

    Args:
        jaxpr: The jaxpr.
        body_of: What stands in an equation's place; None leaves it.
    """

    def function(*inputs: Any) -> list[Any]:
        values = dict(zip(jaxpr.jaxpr.constvars, jaxpr.consts, strict=True))
        values.update(zip(jaxpr.jaxpr.invars, inputs, strict=True))

        def read(atom: Any) -> Any:
            return atom.val if isinstance(atom, core.Literal) else values[atom]

        for equation in jaxpr.jaxpr.eqns:
            operands, body = list(map(read, equation.invars)), body_of(equation)
            outputs = bind(equation, operands) if body is None else core.jaxpr_as_fun(body)(*operands)
            values.update(zip(equation.outvars, outputs, strict=True))
        return list(map(read, jaxpr.jaxpr.outvars))

    return jax.make_jaxpr(function)(*types_of(jaxpr.in_avals))


def function_of(jaxpr: core.ClosedJaxpr, name: str) -> Callable[..., list[Any]]:
    """The jaxpr as a function of flat arguments."""
    call: Callable[..., list[Any]] = core.jaxpr_as_fun(jaxpr)

    def function(*arguments: Any) -> list[Any]:
        return call(*arguments)

    function.__name__ = name
    return function
