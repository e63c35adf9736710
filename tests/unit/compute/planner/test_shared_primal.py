"""Wants that are asked together share one primal, counted in the jaxpr."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pullback_server.compute.planner.plan import plan
from pullback_server.compute.programs import load_program, parse_program

X = np.linspace(0.1, 0.9, 3)


def f(x: jax.Array) -> jax.Array:
    """A scalar function with one exponential, whose derivative is itself, so that none is added."""
    return jnp.sum(jnp.exp(x) * x)


def equations(jaxpr: Any) -> Iterator[Any]:
    """All equations of a jaxpr, inner ones too."""
    for equation in jaxpr.eqns:
        yield equation
        for parameter in equation.params.values():
            inner = getattr(parameter, "jaxpr", parameter)
            if hasattr(inner, "eqns"):
                yield from equations(inner)


def primals(bench: Any, wants: list[Any]) -> int:
    """How often the function is evaluated to give `wants`."""
    planned = plan(load_program(parse_program(*bench.program(f, X)), 0, bench.read), tuple(wants))
    inputs = [jax.ShapeDtypeStruct(leaf.shape, leaf.element.dtype) for leaf in planned.inputs]
    jaxpr = jax.make_jaxpr(planned)(*inputs)
    return sum(equation.primitive.name == "exp" for equation in equations(jaxpr.jaxpr))


@pytest.mark.parametrize(
    "quantities",
    [
        ["value"],
        ["value", "gradient"],
        ["value", "jacobian"],
        ["value", "jvp"],
        ["value", "vjp"],
        ["gradient", "hessian"],
        ["value", "gradient", "hessian"],
        ["value", "gradient", "hvp"],
        ["jvp", "vjp"],
        ["jvp", "hvp", "gradient"],
        ["hvp", "hessian"],
        ["value", "gradient", "jacobian", "hessian", "jvp", "vjp", "hvp"],
    ],
)
def test_one_primal(bench: Any, want: Any, quantities: list[str]) -> None:
    """Whatever is asked together with the same argnums, the function is evaluated once."""
    assert primals(bench, [want(quantity) for quantity in quantities]) == 1


def test_one_primal_up_to_the_third_order(bench: Any, want: Any) -> None:
    """All orders up to the third come from one primal."""
    wants = [want("value"), want("gradient"), want("hessian"), want("derivative", order=3)]
    assert primals(bench, wants) == 1


def test_the_counter_counts(bench: Any, want: Any) -> None:
    """Forward and reverse passes that are not shared would be seen: two programs have two primals."""
    wants = [want("value")]
    assert primals(bench, wants) + primals(bench, wants) == 2
