"""Loops, branches, custom rules, rematerialization, and whole models."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.scipy import linalg, special
from numerics.cases import case

_X = [0.3, -0.7, 1.9]
_RATES = [0.9, 0.4, 0.3, 0.8]
_FEATURES = np.array([[0.2, -1.0, 0.5], [1.5, 0.3, -0.7], [-0.4, 0.9, 1.1], [0.6, -0.2, -1.3]])
_LABELS = np.array([0.0, 1.0, 1.0, 0.0])
_WEIGHTS = np.array([0.5, -0.3, 0.8, 0.1, 0.9, -0.6, 0.2, 0.4])


def _rosenbrock(x: jax.Array) -> jax.Array:
    return jnp.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def _log_posterior(w: jax.Array) -> jax.Array:
    logits = _FEATURES.astype(w.dtype) @ w
    likelihood = _LABELS.astype(w.dtype) * logits - jax.nn.softplus(logits)
    return jnp.sum(likelihood) - 0.5 * w @ w


def _marginal_likelihood(theta: jax.Array) -> jax.Array:
    points = jnp.asarray(_FEATURES, theta.dtype)
    targets = jnp.asarray(_LABELS, theta.dtype)
    squares = jnp.sum((points[:, None] - points[None]) ** 2, -1)
    kernel = jnp.exp(theta[0]) * jnp.exp(-0.5 * squares * jnp.exp(-theta[1]))
    factor = jnp.linalg.cholesky(kernel + jnp.exp(theta[2]) * jnp.eye(4, dtype=theta.dtype))
    whitened = linalg.solve_triangular(factor, targets, lower=True)
    return -0.5 * whitened @ whitened - jnp.sum(jnp.log(jnp.diag(factor)))


def _lotka_volterra(state: jax.Array, rates: jax.Array) -> jax.Array:
    prey, predators = state
    a, b, c, d = rates
    return jnp.stack([a * prey - b * prey * predators, c * prey * predators - d * predators])


def _runge_kutta(rates: jax.Array) -> jax.Array:
    def step(state: jax.Array, _: None) -> tuple[jax.Array, jax.Array]:
        h = 0.1
        k1 = _lotka_volterra(state, rates)
        k2 = _lotka_volterra(state + 0.5 * h * k1, rates)
        k3 = _lotka_volterra(state + 0.5 * h * k2, rates)
        k4 = _lotka_volterra(state + h * k3, rates)
        following = state + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        return following, following[0]

    start = jnp.array([1.0, 0.5], rates.dtype)
    final, prey = lax.scan(step, start, None, length=12)
    return final * jnp.mean(prey)


def _network(w: jax.Array) -> jax.Array:
    hidden = jax.nn.softplus(jnp.asarray(_FEATURES, w.dtype) @ w[:6].reshape(3, 2))
    return jnp.mean((hidden @ w[6:] - jnp.asarray(_LABELS, w.dtype)) ** 2)


@jax.custom_jvp
def _clipped(x: jax.Array, limit: float) -> jax.Array:
    return jnp.sin(x) * limit


@_clipped.defjvp
def _clipped_jvp(primals, tangents):  # noqa: ANN001, ANN202 -- JAX's convention
    (x, limit), (dx, _) = primals, tangents
    return _clipped(x, limit), 2.0 * jnp.cos(x) * dx * limit


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def _scaled(x: jax.Array, times: int) -> jax.Array:
    return x**2 * times


@_scaled.defjvp
def _scaled_jvp(times, primals, tangents):  # noqa: ANN001, ANN202 -- JAX's convention
    return _scaled(primals[0], times), 3.0 * primals[0] * tangents[0] * times


@jax.custom_vjp
def _reversed_gradient(x: jax.Array) -> jax.Array:
    return jnp.exp(x)


_reversed_gradient.defvjp(lambda x: (_reversed_gradient(x), x), lambda x, ct: (-ct * jnp.exp(x),))


@jax.custom_vjp
def _counted(x: jax.Array, n: jax.Array) -> jax.Array:
    return jnp.sin(x) * n


_counted.defvjp(lambda x, n: (_counted(x, n), (x, n)), lambda saved, ct: (ct * saved[1] * saved[0], None))


def _closed_over(x: jax.Array) -> jax.Array:
    scale = jnp.asarray(_X, x.dtype) + 2.0

    @jax.custom_jvp
    def inner(y: jax.Array) -> jax.Array:
        return y * scale

    inner.defjvp(lambda p, t: (inner(*p), 5.0 * t[0] * scale * p[0]))
    return inner(x) ** 2


def _newton(x: jax.Array) -> jax.Array:
    return lax.while_loop(lambda s: jnp.abs(s**2 - x[0]) > 1e-4, lambda s: 0.5 * (s + x[0] / s), x[0] + x[1])


def _counted_while(x: jax.Array) -> jax.Array:
    return lax.while_loop(lambda s: s[0] < 3, lambda s: (s[0] + 1, jnp.sin(s[1]) * x), (0, x))[1]


def _root(x: jax.Array) -> jax.Array:
    def solve(f, guess):  # noqa: ANN001, ANN202 -- JAX's convention
        return lax.fori_loop(0, 20, lambda _, s: s - f(s) / jax.grad(lambda z: f(z).sum())(s), guess)

    return lax.custom_root(lambda s: s**3 - x, jnp.ones_like(x), solve, lambda g, y: y / g(jnp.ones_like(y)))


def _nested_scan(x: jax.Array) -> jax.Array:
    def outer(carry: jax.Array, element: jax.Array) -> tuple[jax.Array, jax.Array]:
        inner, _ = lax.scan(lambda c, _: (jnp.sin(c) * element, None), carry, None, length=2)
        return inner + element, inner**2

    return lax.scan(outer, x[0], x)[1]


def _conjugate_gradient(x: jax.Array) -> jax.Array:
    matrix = jnp.diag(jnp.exp(x)) + 0.1
    return jax.scipy.sparse.linalg.cg(lambda v: matrix @ v, x, maxiter=6)[0]


CASES = [
    case("rosenbrock", _rosenbrock, [0.9, -0.4, 1.3, 0.7]),
    case("logistic_regression", _log_posterior, [0.4, -0.8, 0.3]),
    case("gaussian_process", _marginal_likelihood, [0.2, -0.3, -1.0], third=False, tolerance=1e-11),
    case("ode_runge_kutta", _runge_kutta, _RATES, heavy=True),
    case("neural_network", _network, _WEIGHTS),
    case("scan", lambda x: lax.scan(lambda c, e: (c * jnp.cos(e), c + e), x[0], x)[1], _X),
    case("scan_reversed", lambda x: lax.scan(lambda c, e: (jnp.sin(c) + e, c), x[0], x, reverse=True)[0], _X),
    case("scan_unrolled", lambda x: lax.scan(lambda c, e: (c * e, c), x[1], x**2, unroll=2)[0], _X),
    case("scan_nested", _nested_scan, _X, third=False),
    case("scan_softplus", lambda x: lax.scan(lambda c, e: (jax.nn.softplus(c * e), None), x[0], x)[0], _X),
    case("map", lambda x: lax.map(lambda e: jnp.sin(e) ** 2, x), _X),
    case("fori_loop", lambda x: lax.fori_loop(0, 4, lambda i, c: jnp.sin(c) * (i + 1), x), _X, third=False),
    case("while_loop", _newton, _RATES, reverse=False, third=False),
    case("while_loop_counted", _counted_while, _X, reverse=False, third=False),
    case(
        "fori_loop_dynamic",
        lambda x: lax.fori_loop(0, jnp.sum(x > 0), lambda _, c: c * x, x),
        _X,
        reverse=False,
    ),
    case("cond", lambda x: lax.cond(x[0] > x[1], jnp.sin, jnp.exp, x), _X),
    case(
        "cond_nested",
        lambda x: lax.cond(x[0] > 0, lambda y: lax.cond(y[1] > 0, jnp.sin, jnp.cos, y), jnp.exp, x),
        _X,
    ),
    case("switch", lambda x: lax.switch(jnp.argmax(x), [jnp.sin, jnp.cos, jnp.exp], x), _X),
    case(
        "cond_in_scan",
        lambda x: lax.scan(lambda c, e: (lax.cond(e > 0, jnp.sin, jnp.cos, c), c), x[0], x)[1],
        _X,
    ),
    case("custom_jvp", lambda x: _clipped(x, 3.0) ** 2, _X),
    case("custom_jvp_static", lambda x: _scaled(x, 4), _X),
    case("custom_jvp_closure", _closed_over, _X),
    case("custom_jvp_in_scan", lambda x: lax.scan(lambda c, e: (_clipped(c, 2.0) * e, c), x[0], x)[0], _X),
    case("custom_jvp_in_vmap", jax.vmap(lambda e: _clipped(e, 2.0)), _X),
    case("custom_vjp", lambda x: _reversed_gradient(x) * x, _X, forward=False, third=False),
    case("custom_vjp_integer", lambda x: _counted(x, jnp.arange(3)), _X, forward=False, third=False),
    case(
        "custom_vjp_in_scan",
        lambda x: lax.scan(lambda c, e: (_reversed_gradient(c) * e, c), x[0], x)[0],
        _X,
        forward=False,
        third=False,
    ),
    case("custom_root", _root, [0.8, 2.1, 3.3], third=False),
    case("conjugate_gradient", _conjugate_gradient, _X, third=False),
    case("checkpoint", lambda x: jax.checkpoint(lambda y: jnp.sin(jnp.sin(y)))(x) ** 2, _X),
    case(
        "checkpoint_policy",
        jax.checkpoint(lambda x: jnp.sin(x @ x) * x, policy=jax.checkpoint_policies.dots_saveable),
        _X,
    ),
    case("jit_nested", jax.jit(lambda x: jax.jit(jnp.sin)(x) * jax.jit(jax.nn.softplus)(x)), _X),
    case("grad_inside", lambda x: jax.grad(lambda y: jnp.sum(jax.nn.softplus(y) ** 2))(x) * x, _X),
    case("hessian_inside", lambda x: jax.hessian(_rosenbrock)(x) @ x, _X, third=False),
    case("vmap_inside", jax.vmap(lambda e: lax.cond(e > 0, jnp.sin, jnp.cos, e)), _X),
    case("random_constant", lambda x: x * jax.random.normal(jax.random.key(3), (3,), x.dtype), _X),
    case("mixture", lambda x: special.logsumexp(-0.5 * (x[:, None] - x[None]) ** 2, axis=1), _X, third=False),
]
