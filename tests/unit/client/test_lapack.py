"""Batched linear algebra on a CPU comes to an end."""

from __future__ import annotations

import subprocess
import sys
from textwrap import dedent

import pytest

SCRIPT = """
from pullback.lapack import prevent_deadlock
prevent_deadlock()
import jax, jax.numpy as jnp, numpy as np

def likelihood(p):
    x = jnp.linspace(0.0, 1.0, 48)
    kernel = jnp.exp(p[0] - jnp.exp(p[1]) * (x[:, None] - x) ** 2) + jnp.exp(p[2]) * jnp.eye(48)
    factor = jnp.linalg.cholesky(kernel)
    return jnp.sum(jax.scipy.linalg.solve_triangular(factor, x, lower=True) ** 2)

points = np.random.default_rng(0).normal(size=(1000, 3)).astype(np.float32)
jacobian = jax.jit(jax.vmap(jax.jacfwd(likelihood)))
for _ in range(10):
    jacobian(points).block_until_ready()
"""


@pytest.mark.slow
def test_a_batch_of_gaussian_processes_ends() -> None:
    """Without the precaution, jaxlib 0.10 hangs here on a machine of two cores."""
    subprocess.run([sys.executable, "-c", dedent(SCRIPT)], check=True, timeout=200)
