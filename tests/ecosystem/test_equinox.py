"""Modules, losses and loops of equinox and optax."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import pullback

eqx: Any = pytest.importorskip("equinox", reason="install the dependency group ecosystem")
optax: Any = pytest.importorskip("optax", reason="install the dependency group ecosystem")

_X = np.random.default_rng(0).normal(size=(5, 3))
_LABELS = np.array([0, 1, 1, 0, 1])


def _network() -> Any:
    return eqx.nn.MLP(3, 2, 4, 2, key=jax.random.key(0))


def _loss(network: Any, x: Any, labels: Any) -> Any:
    return optax.softmax_cross_entropy_with_integer_labels(jax.vmap(network)(x), labels).mean()


def test_loss_of_a_module(agree: Any) -> None:
    """The loss as a function of the module's arrays."""
    arrays, static = eqx.partition(_network(), eqx.is_array)
    agree(lambda arrays, x: _loss(eqx.combine(arrays, static), x, _LABELS), arrays, _X)


def test_module_through_a_server() -> None:
    """The handle takes the module and gives its gradient as a module; anybody else takes and gives dicts."""
    network = _network()
    expected = eqx.filter_grad(_loss)(network, _X, _LABELS)
    with pullback.local("cpu:1") as client:
        registered = client.register(_loss, network, _X, _LABELS, name="loss")
        gradient = registered.grad(network, _X, _LABELS)
        assert isinstance(gradient, eqx.nn.MLP)
        assert gradient.activation is None
        layers = tuple({"weight": layer.weight, "bias": layer.bias} for layer in network.layers)
        plain = client.function("loss").grad({"layers": layers}, _X, _LABELS)
    for number, layer in enumerate(expected.layers):
        np.testing.assert_allclose(gradient.layers[number].weight, layer.weight, rtol=1e-12)
        np.testing.assert_allclose(plain["layers"][number]["bias"], layer.bias, rtol=1e-12)


def test_failed_check_gives_nan(agree: Any) -> None:
    """A check that holds changes nothing; one that fails has no error to raise on a server."""

    def checked(x: Any) -> Any:
        return jnp.sum(eqx.error_if(x, x[0] > 5.0, "too large") ** 2)

    agree(checked, _X[0])


def test_loop_with_checkpoints(agree: Any) -> None:
    """A loop of bounded length in reverse mode, as diffrax uses it."""

    def loop(x: Any) -> Any:
        step = lambda s: (s[0] + 1, jnp.sin(s[1]) * x)  # noqa: E731 -- one line
        out = eqx.internal.while_loop(lambda s: s[0] < 4, step, (0, x), max_steps=8, kind="checkpointed")
        return jnp.sum(out[1])

    agree(loop, _X[0], second=False)


def test_step_of_an_optimizer(agree: Any) -> None:
    """A step of Adam, differentiated through."""

    def step(x: Any) -> Any:
        optimizer = optax.adam(1e-2)
        updates, _ = optimizer.update(jax.grad(lambda y: jnp.sum(y**4))(x), optimizer.init(x))
        return jnp.sum(optax.apply_updates(x, updates) ** 2)

    agree(step, _X[0])
