"""The workload's functions in JAX, and what a server that runs JAX makes of them, jitted once for all."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from workload import Floats, projections

jax.config.update("jax_enable_x64", True)


def rosenbrock(x: jax.Array) -> jax.Array:
    """The Rosenbrock function: f64[n] to f64[]."""
    return jnp.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def heavy(x: jax.Array) -> jax.Array:
    """The sum of log cosh of 1,000 projections: f64[200] to f64[]."""
    projected = projections() @ x
    return jnp.sum(jnp.logaddexp(projected, -projected))


gradient_of_one = jax.jit(jax.grad(rosenbrock))
gradients = jax.jit(jax.vmap(jax.grad(rosenbrock)))
hessians = jax.jit(jax.vmap(jax.hessian(heavy)))


def gradient_of(x: Floats) -> jax.Array:
    """The gradient of a point f64[8], or of each of a batch f64[n, 8]."""
    gradient: jax.Array = gradient_of_one(x) if x.ndim == 1 else gradients(x)
    return gradient
