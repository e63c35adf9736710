"""Normalizations, and dropout as it is without training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import jax
import jax.numpy as jnp
from jax import lax

from pullback_server.compute.formats.onnx.call import Call, Rule
from pullback_server.compute.formats.onnx.elements import element_of
from pullback_server.compute.formats.onnx.operators.convolution import per_channel
from pullback_server.compute.formats.onnx.values import is_fixed

_EPSILON: Final = 1e-5
_FLOAT: Final = 1
_ONE_SCALE_A_CHANNEL: Final = 21
_TRAINING_IS_AN_ATTRIBUTE: Final = 14
_TRAINING_IS_AN_INPUT: Final = 12


def _batch(call: Call) -> Any:
    x, scale, bias = (call.array(place) for place in range(3))
    mean, variance = call.array(3), call.array(4)
    training = call.version >= _TRAINING_IS_AN_ATTRIBUTE and call.attribute("training_mode", 0)
    running = [mean, variance]
    if training:
        axes = (0, *range(2, x.ndim))
        momentum = call.attribute("momentum", 0.9)
        mean, variance = jnp.mean(x, axes), jnp.var(x, axes)
        pairs = zip(running, (mean, variance), strict=True)
        running = [(old * momentum + new * (1 - momentum)).astype(old.dtype) for old, new in pairs]
    epsilon = call.attribute("epsilon", _EPSILON)
    factor = scale.astype(mean.dtype) / jnp.sqrt(variance + epsilon)
    centred = x - per_channel(mean, x.ndim)
    result = centred * per_channel(factor, x.ndim) + per_channel(bias.astype(mean.dtype), x.ndim)
    return [result.astype(x.dtype), *(running if training else ())]


def _standardized(x: jax.Array, axes: tuple[int, ...], epsilon: float) -> tuple[jax.Array, ...]:
    """The array with mean 0 and variance 1 along the axes, its mean, and its inverse deviation."""
    mean = jnp.mean(x, axes, keepdims=True)
    centred = x - mean
    variance = jnp.mean(jnp.square(centred), axes, keepdims=True)
    inverse = lax.rsqrt(variance + epsilon)
    return centred * inverse, mean, inverse


def _instance(call: Call) -> jax.Array:
    x, scale, bias = (call.array(place) for place in range(3))
    epsilon = call.attribute("epsilon", _EPSILON)
    result, *_ = _standardized(x, tuple(range(2, x.ndim)), epsilon)
    return result * per_channel(scale, x.ndim) + per_channel(bias, x.ndim)


def _wide(call: Call, x: jax.Array) -> jax.Array:
    """In the element type that the model asks for between, or in its own where that is wider."""
    stash = element_of(call.attribute("stash_type", _FLOAT)).dtype
    return x.astype(jnp.promote_types(x.dtype, stash))


def _layer(call: Call) -> Any:
    x, axis = call.array(0), call.attribute("axis", -1)
    axes = tuple(range(axis % x.ndim, x.ndim))
    result, mean, inverse = _standardized(_wide(call, x), axes, call.attribute("epsilon", _EPSILON))
    result = result.astype(x.dtype) * call.array(1)
    bias = call.optional(2)
    return [result if bias is None else result + bias, mean, inverse]


def _root_mean_square(call: Call) -> jax.Array:
    x, axis = call.array(0), call.attribute("axis", -1)
    axes = tuple(range(axis % x.ndim, x.ndim))
    wide = _wide(call, x)
    square = jnp.mean(jnp.square(wide), axes, keepdims=True)
    result = wide * lax.rsqrt(square + call.attribute("epsilon", _EPSILON))
    return result.astype(x.dtype) * call.array(1)


def _group(call: Call) -> jax.Array:
    x, scale, bias = (call.array(place) for place in range(3))
    groups, channels = call.attribute("num_groups"), x.shape[1]
    parts = _wide(call, x).reshape(x.shape[0], groups, -1)
    result, *_ = _standardized(parts, (2,), call.attribute("epsilon", _EPSILON))
    if call.version < _ONE_SCALE_A_CHANNEL:
        scale, bias = (jnp.repeat(each, channels // groups) for each in (scale, bias))
    result = result.reshape(x.shape).astype(x.dtype)
    return result * per_channel(scale, x.ndim) + per_channel(bias, x.ndim)


def _local_response(call: Call) -> jax.Array:
    x, size = call.array(0), call.attribute("size")
    alpha, beta = call.attribute("alpha", 1e-4), call.attribute("beta", 0.75)
    before = (size - 1) // 2
    pads = [(0, 0)] * x.ndim
    pads[1] = (before, size - 1 - before)
    window = [1] * x.ndim
    window[1] = size
    squares = lax.reduce_window(jnp.square(x), jnp.zeros((), x.dtype), lax.add, window, (1,) * x.ndim, pads)
    return jnp.divide(x, (call.attribute("bias", 1.0) + alpha / size * squares) ** beta)


def _norm(call: Call) -> jax.Array:
    x, axis = call.array(0), call.attribute("axis", -1)
    if call.attribute("p", 2) == 1:
        norm = jnp.sum(jnp.abs(x), axis, keepdims=True)
    else:
        norm = jnp.sqrt(jnp.sum(jnp.square(x), axis, keepdims=True))
    return jnp.where(norm == 0, jnp.zeros((), x.dtype), x / jnp.where(norm == 0, 1, norm).astype(x.dtype))


def _mean_variance(call: Call) -> jax.Array:
    x, axes = call.array(0), call.attribute("axes", (0, 2, 3))
    centred = x - jnp.mean(x, axes, keepdims=True)
    return centred / (jnp.sqrt(jnp.mean(jnp.square(centred), axes, keepdims=True)) + 1e-9)


def _dropout(call: Call) -> Any:
    if call.version >= _TRAINING_IS_AN_INPUT and call.has(2):
        training = call.value(2)
        if not is_fixed(training) or bool(training):
            raise call.refuse("drops at random in training mode", "export the model for inference")
    x = call.array(0)
    return [x, jnp.ones(x.shape, bool)]


OPERATORS: Final[Mapping[str, Rule]] = {
    "BatchNormalization": _batch,
    "Dropout": _dropout,
    "GroupNormalization": _group,
    "InstanceNormalization": _instance,
    "LRN": _local_response,
    "LayerNormalization": _layer,
    "LpNormalization": _norm,
    "MeanVarianceNormalization": _mean_variance,
    "RMSNormalization": _root_mean_square,
}
