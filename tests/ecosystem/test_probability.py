"""Log densities of numpyro, networks of flax."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

_X = np.random.default_rng(0).normal(size=(6, 3))
_Y = np.array([0, 1, 1, 0, 1, 0])


def test_log_density_of_a_model(agree: Any) -> None:
    """The potential of a hierarchical model, with its transformations to the real line."""
    numpyro = pytest.importorskip("numpyro", reason="install the dependency group ecosystem")
    distributions = numpyro.distributions

    def model(x: Any, y: Any) -> None:
        scale = numpyro.sample("scale", distributions.HalfCauchy(1.0))
        weights = numpyro.sample("weights", distributions.Normal(0.0, scale).expand([3]).to_event(1))
        rates = numpyro.sample("rates", distributions.Gamma(2.0, 3.0))
        mixed = numpyro.sample("mixed", distributions.Dirichlet(jnp.ones(3)))
        numpyro.sample("y", distributions.Bernoulli(logits=x @ (weights * mixed) * rates), obs=y)

    potential = numpyro.infer.util.potential_energy
    point = {
        "scale": np.float64(0.3),
        "weights": np.array([0.1, -0.4, 0.2]),
        "rates": np.float64(-0.2),
        "mixed": np.array([0.3, -0.1]),
    }
    agree(lambda p: potential(model, (_X, _Y), {}, p), point)


def test_linen_network(agree: Any) -> None:
    """The loss of a flax network in the parameters that linen gives."""
    linen: Any = pytest.importorskip("flax.linen", reason="install the dependency group ecosystem")
    network = linen.Sequential([linen.Dense(4), linen.gelu, linen.LayerNorm(), linen.Dense(1)])
    parameters = network.init(jax.random.key(0), jnp.asarray(_X))
    agree(lambda p, x: jnp.mean(network.apply(p, x) ** 2), parameters, _X)


def test_nnx_state(agree: Any) -> None:
    """The loss of a flax network in the state that nnx splits off, whose containers are flax's own."""
    nnx: Any = pytest.importorskip("flax.nnx", reason="install the dependency group ecosystem")
    graph, state = nnx.split(nnx.Linear(3, 2, rngs=nnx.Rngs(0)))
    agree(lambda state, x: jnp.mean(jnp.tanh(nnx.merge(graph, state)(x)) ** 2), state, _X)
