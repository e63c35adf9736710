"""Layers and losses of neural networks."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from numerics.cases import case

_X = [0.3, -0.7, 1.9]
_TOKENS = np.random.default_rng(3).normal(size=(4, 6))
_IMAGE = np.random.default_rng(4).normal(size=(1, 5, 6, 2))
_KERNEL = np.random.default_rng(5).normal(size=(3, 2, 2, 3))
_GATES = np.random.default_rng(6).normal(size=(5, 8)) / 3


def _attention(x: jax.Array) -> jax.Array:
    scores = x @ x.T / jnp.sqrt(jnp.asarray(x.shape[1], x.dtype))
    mask = jnp.tril(jnp.ones(scores.shape, bool))
    return jax.nn.softmax(jnp.where(mask, scores, -jnp.inf), axis=-1) @ x


def _layer_norm(x: jax.Array, scale: jax.Array) -> jax.Array:
    centred = x - jnp.mean(x, -1, keepdims=True)
    return scale * centred * lax.rsqrt(jnp.mean(centred**2, -1, keepdims=True) + 1e-5)


def _lstm(weights: jax.Array) -> jax.Array:
    def step(
        state: tuple[jax.Array, jax.Array], x: jax.Array
    ) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
        hidden, cell = state
        i, f, g, o = jnp.split(jnp.concatenate([x, hidden]) @ weights, 4)
        cell = jax.nn.sigmoid(f) * cell + jax.nn.sigmoid(i) * jnp.tanh(g)
        hidden = jax.nn.sigmoid(o) * jnp.tanh(cell)
        return (hidden, cell), hidden

    zero = jnp.zeros(2, weights.dtype)
    inputs = jnp.asarray(_TOKENS[:, :3], weights.dtype)
    return lax.scan(step, (zero, zero), inputs)[1]


def _convolve(x: jax.Array, kernel: jax.Array) -> jax.Array:
    numbers = ("NHWC", "HWIO", "NHWC")
    strided = lax.conv_general_dilated(x, kernel, (2, 1), "SAME", dimension_numbers=numbers)
    dilated = lax.conv_general_dilated(
        x, kernel, (1, 1), "VALID", rhs_dilation=(1, 2), dimension_numbers=numbers
    )
    return jnp.concatenate([strided.ravel(), jnp.tanh(dilated).ravel()])


def _depthwise(x: jax.Array, kernel: jax.Array) -> jax.Array:
    return lax.conv_general_dilated(
        x,
        kernel[:, :, :1, :2],
        (1, 1),
        "SAME",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=2,
    )


def _cross_entropy(logits: jax.Array) -> jax.Array:
    labels = jnp.array([1, 0, 5, 2])
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], axis=1))


def _residual_blocks(x: jax.Array) -> jax.Array:
    weights = jnp.asarray(np.stack([_TOKENS[:, :4], _TOKENS[:, 1:5]]) / 3, x.dtype)

    @jax.checkpoint
    def block(h: jax.Array, w: jax.Array) -> tuple[jax.Array, None]:
        return h + jax.nn.gelu(h @ w), None

    return lax.scan(block, x, weights)[0]


CASES = [
    case("attention", _attention, _TOKENS, third=False),
    case("layer_norm", _layer_norm, _TOKENS, np.linspace(0.5, 1.5, 6), third=False),
    case("rms_norm", lambda x: x * lax.rsqrt(jnp.mean(x**2) + 1e-6), _X),
    case("lstm", _lstm, _GATES, third=False),
    case("convolution_2d", _convolve, _IMAGE, _KERNEL, third=False, heavy=True),
    case("convolution_depthwise", _depthwise, _IMAGE, _KERNEL, third=False, heavy=True),
    case(
        "average_pool",
        lambda x: lax.reduce_window(x, 0.0, lax.add, (1, 2, 2, 1), (1, 2, 2, 1), "SAME"),
        _IMAGE,
        third=False,
        heavy=True,
    ),
    case("cross_entropy", _cross_entropy, _TOKENS, third=False),
    case(
        "binary_cross_entropy",
        lambda x: jnp.mean(jax.nn.softplus(x) - x * jnp.array([0.0, 1.0, 1.0], x.dtype)),
        _X,
    ),
    case("huber_loss", lambda x: jnp.sum(jnp.where(jnp.abs(x) < 1, 0.5 * x**2, jnp.abs(x) - 0.5)), _X),
    case(
        "hinge_loss", lambda x: jnp.mean(jnp.maximum(0.0, 1.0 - x * jnp.array([1.0, -1.0, 1.0], x.dtype))), _X
    ),
    case("contrastive_loss", lambda x: jnp.trace(jax.nn.log_softmax(x @ x.T)), _TOKENS, third=False),
    case("glu", lambda x: jax.nn.glu(jnp.concatenate([x, x**2])[:4]), _X),
    case("squareplus_log_sigmoid", lambda x: jax.nn.squareplus(x) + jax.nn.log_sigmoid(x), _X),
    case("hard_functions", lambda x: jax.nn.hard_tanh(x) + jax.nn.hard_sigmoid(x) + jax.nn.hard_silu(x), _X),
    case("standardize", jax.nn.standardize, _X),
    case("embedding", lambda table: jnp.sin(table[jnp.array([2, 0, 2, 3])]), _TOKENS, third=False),
    case("residual_blocks", _residual_blocks, [0.2, -0.4, 0.9, 0.1]),
]
