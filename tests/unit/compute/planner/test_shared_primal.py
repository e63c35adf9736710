"""Wants that are asked together share one primal, counted in the jaxpr."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pullback_server.compute.planner.plan import Options, plan
from pullback_server.compute.programs import LoadedProgram, load_program, parse_program
from pullback_server.model.quantities import Mode, Quantity, Want

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
    program = load_program(parse_program(*bench.program(f, X)), 0, bench.read)
    return count(program, tuple(wants))


def count(program: LoadedProgram, wants: tuple[Want, ...], options: Options | None = None) -> int:
    """How often a program is evaluated to give `wants`."""
    planned = plan(program, wants, options)
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
        ["value", "hessian_diag"],
        ["value", "gradient", "laplacian", "hessian_diag"],
        ["value", "ggn_vp", "jvp"],
        ["gradient", "ggn_vp", "hvp", "hessian"],
    ],
)
def test_one_primal(bench: Any, want: Any, quantities: list[str]) -> None:
    """Whatever is asked together with the same argnums, the function is evaluated once."""
    assert primals(bench, [want(quantity) for quantity in quantities]) == 1


def test_one_primal_up_to_the_third_order(bench: Any, want: Any) -> None:
    """All orders up to the third come from one primal."""
    wants = [want("value"), want("gradient"), want("hessian"), want("derivative", order=3)]
    assert primals(bench, wants) == 1


@pytest.mark.parametrize("modes", [("forward", "reverse"), ("reverse", "reverse"), ("forward", "forward")])
def test_one_primal_in_mixed_modes(bench: Any, want: Any, modes: tuple[str, str]) -> None:
    """Modes that differ from the gradient's stand in the same nest."""
    mixed = want("hessian", modes=tuple(map(Mode, modes)))
    assert primals(bench, [want("value"), want("gradient"), mixed, want("hessian")]) == 1


def test_one_primal_for_sparse_ones(bench: Any, want: Any) -> None:
    """Entries with coordinates come from the same primal."""
    wants = [want("value"), want("gradient"), want("hessian", sparse=True), want("jacobian", sparse=True)]
    assert primals(bench, wants) == 1


def g(x: jax.Array, y: jax.Array) -> jax.Array:
    """A scalar function of two arguments with one exponential."""
    return jnp.sum(jnp.exp(x + y) * x * y)


@pytest.mark.parametrize(
    "wants",
    [
        [("gradient", 0), ("gradient", 1)],
        [("gradient", 0), ("vjp", 0, 1)],
        [("jvp", 0), ("gradient", 1)],
        [("gradient", 1), ("hessian", 0)],
        [("jacobian", 0), ("jacobian", 1), ("hvp", 0, 1)],
    ],
)
def test_one_primal_for_different_arguments(bench: Any, want: Any, close: Any, wants: list[Any]) -> None:
    """Derivatives with respect to different arguments share a primal, and are those asked one by one."""
    program = load_program(parse_program(*bench.program(g, X, X + 1)), 0, bench.read)
    asked = [want("value"), *(want(*each) for each in wants)]
    assert count(program, tuple(asked)) == 1
    name = bench.load(g, X, X + 1)
    together = bench.evaluate(name, asked, X, X + 1, **directions(asked))
    for one, result in zip(asked, together, strict=True):
        close(result, bench.evaluate(name, [one], X, X + 1, **directions([one]))[0])


def directions(wants: list[Want]) -> dict[str, Any]:
    """The tangents and cotangents that wants take."""
    along = next((want.argnums for want in wants if want.quantity.takes_tangents), ())
    pulled = [np.float64(2)] if any(want.quantity is Quantity.VJP for want in wants) else []
    return {"tangents": [X] * len(along), "cotangents": pulled}


def test_dear_sweeps_are_not_shared(bench: Any, want: Any) -> None:
    """Where directions are taken one by one, each would carry the other argument along: two primals."""
    program = load_program(parse_program(*bench.program(g, X, X + 1)), 0, bench.read)
    wants = (want("hessian", 0), want("gradient", 1))
    assert count(program, wants, Options(sweep_bytes=1)) == 2
    assert count(program, wants, Options(share=False)) == 2
    assert count(program, wants) == 1


def test_the_counter_counts(bench: Any, want: Any) -> None:
    """Forward and reverse passes that are not shared would be seen: two programs have two primals."""
    wants = [want("value")]
    assert primals(bench, wants) + primals(bench, wants) == 2
