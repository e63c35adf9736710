"""What graphs lean on in JAX beside its documented functions."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend import core


def test_dead_code_is_eliminated_and_inputs_stay() -> None:
    """jax.interpreters.partial_eval.dce_jaxpr keeps inputs if told, also inside of loops."""
    from jax.interpreters import partial_eval

    def function(x: jax.Array, y: jax.Array) -> jax.Array:
        jnp.sin(y)
        return lax.scan(lambda c, _: ((c[0] * 2, jnp.cos(c[1])), None), (x, y), None, length=3)[0][0]

    closed = jax.make_jaxpr(function)(1.0, 2.0)
    jaxpr = getattr(closed, "jaxpr", closed)
    alive, used = partial_eval.dce_jaxpr(jaxpr, [True], instantiate=True)
    assert len(alive.invars) == len(used) == 2
    assert [equation.primitive.name for equation in alive.eqns] == ["scan"]
    assert "cos" not in str(alive)


def test_equations_tell_their_scopes() -> None:
    """Those of transformations and those that are named; not those around a body."""

    def function(x: jax.Array) -> jax.Array:
        with jax.named_scope("outer"):
            return lax.scan(lambda c, _: (jnp.sin(c), None), x, None, length=3)[0]

    closed = jax.make_jaxpr(jax.grad(function))(1.0)
    scans = [equation for equation in closed.eqns if equation.primitive.name == "scan"]
    assert [str(scan.source_info.name_stack) for scan in scans] == ["jvp(outer)", "transpose(jvp(outer))"]
    body = getattr(scans[0].params["jaxpr"], "jaxpr", scans[0].params["jaxpr"])
    assert {str(equation.source_info.name_stack) for equation in body.eqns} == {""}


def test_bodies_stand_in_parameters() -> None:
    """Under these names, and with these lengths."""

    def function(x: jax.Array) -> jax.Array:
        x = lax.scan(lambda c, _: (c * 2, None), x, None, length=3)[0]
        x = lax.while_loop(lambda c: c < 9, lambda c: c * 2, x)
        return lax.cond(x > 0, jnp.sin, jnp.cos, x)

    parameters = {equation.primitive.name: equation.params for equation in jax.make_jaxpr(function)(1.0).eqns}
    assert parameters["scan"]["length"] == 3
    kinds = (core.Jaxpr, core.ClosedJaxpr)
    assert isinstance(parameters["scan"]["jaxpr"], kinds)
    assert isinstance(parameters["while"]["cond_jaxpr"], kinds)
    assert isinstance(parameters["while"]["body_jaxpr"], kinds)
    assert all(isinstance(branch, kinds) for branch in parameters["cond"]["branches"])


def test_the_compiler_s_analysis() -> None:
    """Counts by these names; a product of matrices takes 2 m n k."""
    compiled = jax.jit(jnp.dot).lower(np.zeros((4, 8)), np.zeros((8, 2))).compile()
    found = compiled.cost_analysis()
    assert found["flops"] == 2 * 4 * 8 * 2
    assert found["bytes accessed"] >= found["bytes accessedout{}"] > 0
