"""Formulas against the same expressions in JAX: value, derivatives and batches, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax, nn
from jax.scipy import special

Function = Callable[..., jax.Array]

# Each formula is of x: [5], m: [5,5] and s: [].
CASES: dict[str, Function] = {
    "x**2": lambda x, m, s: x**2,
    "x**3 - x**-1 + x**0.5": lambda x, m, s: x**3 - x**-1 + x**0.5,
    "s**x + x**s": lambda x, m, s: s**x + x**s,
    "sum(100*(x[1:] - x[:-1]**2)**2 + (1 - x[:-1])**2)": lambda x, m, s: jnp.sum(
        100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2
    ),
    "1/3 * x + 2*pi": lambda x, m, s: 1 / 3 * x + 2 * np.pi,
    "where(x > 1, log(x), sin(x)) * s": lambda x, m, s: jnp.where(x > 1, jnp.log(x), jnp.sin(x)) * s,
    "x @ m @ x": lambda x, m, s: x @ m @ x,
    "m.T @ x": lambda x, m, s: m.T @ x,
    'einsum("ij,j,i->", m, x, x) * s': lambda x, m, s: jnp.einsum("ij,j,i->", m, x, x) * s,
    "K = m @ m.T + eye(5)\nL = cholesky(K)\nsum(solve(L, x)**2) + sum(log(diag(L)))": lambda x, m, s: (
        _gaussian(x, m)
    ),
    "logdet(m @ m.T) + det(m) * s": lambda x, m, s: jnp.linalg.slogdet(m @ m.T)[1] + jnp.linalg.det(m) * s,
    "inv(m + s)": lambda x, m, s: jnp.linalg.inv(m + s),
    "stop_gradient(x) * x + stop_gradient(s)": lambda x, m, s: (
        lax.stop_gradient(x) * x + lax.stop_gradient(s)
    ),
    "logsumexp(x * s) + sum(softplus(x)) + sum(softmax(m))": lambda x, m, s: (
        special.logsumexp(x * s) + jnp.sum(nn.softplus(x)) + jnp.sum(nn.softmax(m))
    ),
    "norm(x - s) + norm(m)": lambda x, m, s: jnp.linalg.norm(x - s) + jnp.linalg.norm(m),
    "a = exp(-x); b = a / (1 + a); a = a * b; a + b": lambda x, m, s: _reassigned(x),
    "[x[0], x[1]*s, 1]": lambda x, m, s: jnp.stack([x[0], x[1] * s, jnp.asarray(1.0)]),
    "[[1, 2, 3, 4, 5], [0.5, 0, 0, 0, 0]] @ x": lambda x, m, s: (
        jnp.array([[1, 2, 3, 4, 5], [0.5, 0, 0, 0, 0]], x.dtype) @ x
    ),
    "x[[4, 0, 0]] * x[::-2]": lambda x, m, s: x[jnp.array([4, 0, 0])] * x[::-2],
    "m[1:, newaxis, ..., -1] - x[:4]": lambda x, m, s: m[1:, None, ..., -1] - x[:4],
    "cumsum(x) * cumprod(x) + sort(-x)": lambda x, m, s: jnp.cumsum(x) * jnp.cumprod(x) + jnp.sort(-x),
    "x % s + x // s": lambda x, m, s: x % s + x // s,
    "lgamma(x) + erf(x) * digamma(s)": lambda x, m, s: (
        special.gammaln(x) + special.erf(x) * special.digamma(s)
    ),
    "concatenate([x, m[0], -x])[::3]": lambda x, m, s: jnp.concatenate([x, m[0], -x])[::3],
    "real(exp(2j * x)) + imag(x + 1j)": lambda x, m, s: jnp.real(jnp.exp(2j * x)) + jnp.imag(x + 1j),
    "reshape(m, (x.size * 5,))[:m.shape[0]] + x.ndim": lambda x, m, s: jnp.reshape(m, (25,))[:5] + 1,
    "-x**2 + +x": lambda x, m, s: -(x**2) + x,
    "where((x > 1) & ~(x > 2) | (x < 0.5), x, x**2)": lambda x, m, s: jnp.where(
        (x > 1) & ~(x > 2) | (x < 0.5), x, x**2
    ),
    "where(x > 1 and not x > 2 or s, x, x**2)": lambda x, m, s: jnp.where(
        jnp.logical_or(jnp.logical_and(x > 1, jnp.logical_not(x > 2)), s), x, x**2
    ),
    "trapezoid(x**2, dx=0.1) + mean(x) * var(x, ddof=1)": lambda x, m, s: (
        jnp.trapezoid(x**2, dx=0.1) + jnp.mean(x) * jnp.var(x, ddof=1)
    ),
}


def _gaussian(x: jax.Array, a: jax.Array) -> jax.Array:
    factor = jnp.linalg.cholesky(a @ a.T + jnp.eye(5, dtype=a.dtype))
    return jnp.sum(jnp.linalg.solve(factor, x) ** 2) + jnp.sum(jnp.log(jnp.diag(factor)))


def _reassigned(x: jax.Array) -> jax.Array:
    a = jnp.exp(-x)
    b = a / (1 + a)
    return a * b + b


def _points(element: str, *batch: int) -> tuple[Any, ...]:
    rng = np.random.default_rng(7)
    dtype = {"f32": jnp.float32, "f64": jnp.float64}[element]
    shapes = (5,), (5, 5), ()
    return tuple(jnp.asarray(rng.uniform(0.3, 2.5, (*batch, *shape)), dtype) for shape in shapes)


def _assert_same(actual: Any, expected: Any) -> None:
    for one, other in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


@pytest.fixture(params=["f64", "f32"])
def element(request: pytest.FixtureRequest) -> str:
    """The element type of all arguments."""
    name: str = request.param
    return name


@pytest.fixture(params=CASES)
def pair(request: pytest.FixtureRequest, element: str, formula: Any) -> tuple[Function, Function]:
    """A formula's function and JAX's."""
    types = {"x": f"{element}[5]", "m": f"{element}[5,5]", "s": f"{element}[]"}
    return formula(request.param, **types), CASES[request.param]


def test_value(pair: tuple[Function, Function], element: str) -> None:
    """The value has JAX's bits, dtype and shape."""
    actual, expected = (function(*_points(element)) for function in pair)
    _assert_same(actual, expected)


def test_gradients(pair: tuple[Function, Function], element: str) -> None:
    """Jacobians of both modes, compiled, have JAX's bits."""
    points = _points(element)

    def both(function: Function) -> Any:
        forward, reverse = (mode(function, argnums=(0, 1, 2)) for mode in (jax.jacfwd, jax.jacrev))
        return jax.jit(lambda *given: (forward(*given), reverse(*given)))(*points)

    _assert_same(both(pair[0]), both(pair[1]))


def test_hessian_of_a_batch(pair: tuple[Function, Function], element: str) -> None:
    """The Hessian under vmap, with s shared, has JAX's bits."""
    x, matrix, _ = _points(element, 3)
    s = _points(element)[2]

    def batched(function: Function) -> Any:
        return jax.jit(jax.vmap(jax.hessian(function), in_axes=(0, 0, None)))(x, matrix, s)

    _assert_same(batched(pair[0]), batched(pair[1]))


def test_nested_transformations(formula: Any) -> None:
    """A third derivative along a direction, forward over reverse over forward, has JAX's bits."""
    actual = formula("sum(sin(x)**3 / x)", x="f64[5]")

    def nested(function: Function) -> Any:
        x, v = _points("f64")[0], np.linspace(-1, 1, 5)

        def along(x: jax.Array) -> jax.Array:
            return jax.jvp(function, (x,), (v,))[1]

        return jax.jvp(jax.grad(along), (x,), (v,))[1]

    _assert_same(nested(actual), nested(lambda x: jnp.sum(jnp.sin(x) ** 3 / x)))


def test_vjp_of_a_complex_formula(formula: Any) -> None:
    """Complex cotangents follow JAX's convention."""
    z = np.array([1 + 2j, -0.5j])
    actual = jax.vjp(formula("z**2 * conj(z) + 1j", z="c128[2]"), z)[1](z)
    _assert_same(actual, jax.vjp(lambda z: z**2 * jnp.conj(z) + 1j, z)[1](z))
