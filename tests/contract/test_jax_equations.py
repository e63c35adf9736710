"""Names and parameters of JAX's primitives that the exporter reads."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.extend import core

from pullback.program.composites import LIBRARY

_X = np.array([0.3, 0.7, 0.9], np.float32)
_A = np.eye(3, dtype=np.float32)


def _equations(function: Callable[..., Any], *examples: Any) -> list[core.JaxprEqn]:
    def flatten(jaxpr: Any) -> list[core.JaxprEqn]:
        out = []
        for equation in getattr(jaxpr, "jaxpr", jaxpr).eqns:
            out.append(equation)
            if equation.primitive.name == "jit":
                out += flatten(equation.params["jaxpr"])
        return out

    return flatten(jax.make_jaxpr(function)(*examples))


def _named(name: str, function: Callable[..., Any], *examples: Any) -> core.JaxprEqn:
    return next(e for e in _equations(function, *examples) if e.primitive.name == name)


def test_closed_jaxpr() -> None:
    """A closed jaxpr has constants and an inner jaxpr; an open one can be closed."""
    jaxpr = jax.make_jaxpr(lambda x: x + _X)(_X)
    assert isinstance(jaxpr, core.ClosedJaxpr)
    assert len(jaxpr.jaxpr.invars) == 1
    assert core.ClosedJaxpr(jax.make_jaxpr(jnp.sin)(_X).jaxpr, ()).in_avals[0].shape == (3,)
    assert core.jaxpr_as_fun(jaxpr)(_X)[0].shape == (3,)


def test_custom_jvp_call() -> None:
    """The call's function and the number of what it closed over stand in the parameters."""
    equation = _named("custom_jvp_call", jax.nn.relu, _X)
    assert {"call_jaxpr", "num_consts", "jvp_jaxpr_fun"} <= set(equation.params)
    assert isinstance(equation.primitive.get_bind_params(equation.params), dict)


def test_custom_vjp_call() -> None:
    """The call's function and the number of what it closed over stand in the parameters."""
    function = jax.custom_vjp(jnp.sin)
    function.defvjp(lambda x: (jnp.sin(x), x), lambda x, ct: (ct * jnp.cos(x),))
    equation = _named("custom_vjp_call", function, _X)
    assert {"call_jaxpr", "num_consts", "bwd"} <= set(equation.params)
    assert isinstance(equation.primitive.get_bind_params(equation.params), dict)


def test_scan() -> None:
    """Operands are constants, carries and elements, in this order."""
    equation = _named("scan", lambda x: lax.scan(lambda c, e: (c * e + x[0], c), x[1], x), _X)
    assert {"jaxpr", "length", "reverse", "unroll"} <= set(equation.params)
    inner = [aval.shape for aval in equation.params["jaxpr"].in_avals]
    assert inner[-2:] == [(), ()]
    assert [variable.aval.shape for variable in equation.invars][-2:] == [(), (3,)]


def test_custom_linear_solve() -> None:
    """Four functions and as many counts of constants."""
    equation = _named("custom_linear_solve", jnp.linalg.solve, _A, _X)
    assert equation.params["jaxprs"]._fields == ("matvec", "vecmat", "solve", "transpose_solve")
    assert equation.params["const_lengths"]._fields == ("matvec", "vecmat", "solve", "transpose_solve")


def test_checkpoint() -> None:
    """Rematerialization has an open jaxpr, a policy and a flag."""
    equation = _named("remat2", jax.checkpoint(jnp.sin), _X)
    assert {"jaxpr", "policy", "prevent_cse"} <= set(equation.params)


def test_stop_gradient_is_a_primitive() -> None:
    """So that it can be seen."""
    assert _named("stop_gradient", lax.stop_gradient, _X)


_USES: dict[str, Callable[[], core.JaxprEqn]] = {
    "integer_pow": lambda: _named("integer_pow", lambda x: x**3, _X),
    "cumsum": lambda: _named("cumsum", lax.cumsum, _X),
    "cummax": lambda: _named("cummax", lax.cummax, _X),
    "sort": lambda: _named("sort", lax.sort, _X),
    "top_k": lambda: _named("top_k", lambda x: lax.top_k(x, 2), _X),
    "argmax": lambda: _named("argmax", jnp.argmax, _X),
    "split": lambda: _named("split", lambda x: lax.split(x, (1, 2)), _X),
    "stack": lambda: _named("stack", lambda x: lax.stack([x, x]), _X),
    "tile": lambda: _named("tile", lambda x: lax.tile(x, (2,)), _X),
    "cholesky": lambda: _named("cholesky", jnp.linalg.cholesky, _A),
    "lu": lambda: _named("lu", lax.linalg.lu, _A),
    "qr": lambda: _named("qr", jnp.linalg.qr, _A),
    "eigh": lambda: _named("eigh", jnp.linalg.eigh, _A),
    "eig": lambda: _named("eig", jnp.linalg.eig, _A),
    "svd": lambda: _named("svd", jnp.linalg.svd, _A),
    "triangular_solve": lambda: _named("triangular_solve", lax.linalg.triangular_solve, _A, _A),
    "hessenberg": lambda: _named("hessenberg", lax.linalg.hessenberg, _A),
    "schur": lambda: _named("schur", lax.linalg.schur, _A),
    "tridiagonal": lambda: _named("tridiagonal", lax.linalg.tridiagonal, _A),
    "logistic": lambda: _named("logistic", lax.logistic, _X),
    "digamma": lambda: _named("digamma", lax.digamma, _X),
}


@pytest.mark.parametrize("name", sorted(_USES))
def test_parameters_of_library_primitives(name: str) -> None:
    """What a composite carries is among its primitive's parameters."""
    assert set(LIBRARY[name]) <= set(_USES[name]().params)


def test_x64_can_be_set_for_a_while() -> None:
    """`jax.enable_x64` is a context manager."""
    with jax.enable_x64(True):
        assert (
            jax.make_jaxpr(jnp.sin)(jax.ShapeDtypeStruct((2,), np.float64)).out_avals[0].dtype == np.float64
        )


def test_leaked_tracers_show_as_constants() -> None:
    """A rule that closes over a traced value has that value among its constants, or fails by name."""
    leaked: list[Any] = []
    jax.make_jaxpr(lambda x: leaked.append(x * 2.0))(_X)
    with contextlib.suppress(jax.errors.UnexpectedTracerError):
        jaxpr = jax.make_jaxpr(lambda x: x + leaked[0])(_X)
        assert any(isinstance(constant, jax.core.Tracer) for constant in jaxpr.consts)


def test_constants_of_a_composite_body_stay_inside_a_jit() -> None:
    """A composite's operands are ours alone as long as its body is one jitted call."""
    inner = jax.jit(lambda x: x + jnp.asarray(_X) * 2.0)
    function = lax.composite(inner, "pullback.test", version=1)
    (equation,) = [e for e in _equations(function, _X) if e.primitive.name == "composite"]
    assert len(equation.invars) == 1
