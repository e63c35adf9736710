"""Activation functions of neural networks."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

import jax
import jax.numpy as jnp
from jax import nn

from pullback_server.compute.formats.onnx.call import Call, Rule
from pullback_server.compute.formats.onnx.operators.elementwise import unary

_AXIS_IS_LAST: Final = 13


def _along_axis(function: Callable[..., jax.Array]) -> Rule:
    """Along one axis; before version 13, along all axes from one on."""

    def rule(call: Call) -> jax.Array:
        x = call.array(0)
        if call.version >= _AXIS_IS_LAST:
            return function(x, call.attribute("axis", -1))
        axis = call.attribute("axis", 1) % max(x.ndim, 1)
        rows = x.reshape(math.prod(x.shape[:axis]), math.prod(x.shape[axis:]))
        return function(rows, -1).reshape(x.shape)

    return rule


def _hardmax(x: jax.Array, axis: int) -> jax.Array:
    return nn.one_hot(jnp.argmax(x, axis), x.shape[axis], dtype=x.dtype, axis=axis % x.ndim)


def _elu(call: Call) -> jax.Array:
    return nn.elu(call.array(0), call.attribute("alpha", 1.0))


def _celu(call: Call) -> jax.Array:
    return nn.celu(call.array(0), call.attribute("alpha", 1.0))


def _selu(call: Call) -> jax.Array:
    alpha = call.attribute("alpha", 1.6732632423543772)
    gamma = call.attribute("gamma", 1.0507009873554805)
    return jnp.multiply(gamma, nn.elu(call.array(0), alpha))


def _gelu(call: Call) -> jax.Array:
    return nn.gelu(call.array(0), approximate=call.attribute("approximate", "none") == "tanh")


def _hard_sigmoid(call: Call) -> jax.Array:
    alpha, beta = call.attribute("alpha", 0.2), call.attribute("beta", 0.5)
    return jnp.clip(alpha * call.array(0) + beta, 0, 1)


def _hard_swish(x: jax.Array) -> jax.Array:
    return x * jnp.clip(x / 6 + 0.5, 0, 1)


def _leaky_relu(call: Call) -> jax.Array:
    return nn.leaky_relu(call.array(0), call.attribute("alpha", 0.01))


def _prelu(call: Call) -> jax.Array:
    x, slope = call.array(0), call.array(1)
    return jnp.where(x < 0, slope * x, x)


def _relu(x: jax.Array) -> jax.Array:
    return nn.relu(x) if jnp.issubdtype(x.dtype, jnp.floating) else jnp.maximum(x, 0)


def _shrink(call: Call) -> jax.Array:
    x, bias, limit = call.array(0), call.attribute("bias", 0.0), call.attribute("lambd", 0.5)
    middle = jnp.where(x > limit, (x - bias).astype(x.dtype), jnp.zeros((), x.dtype))
    return jnp.where(x < -limit, (x + bias).astype(x.dtype), middle)


def _swish(call: Call) -> jax.Array:
    x = call.array(0)
    return x * nn.sigmoid(call.attribute("alpha", 1.0) * x)


def _thresholded_relu(call: Call) -> jax.Array:
    x = call.array(0)
    return jnp.where(x > call.attribute("alpha", 1.0), x, jnp.zeros((), x.dtype))


def _mish(x: jax.Array) -> jax.Array:
    return x * jnp.tanh(nn.softplus(x))


def activation(name: str, alpha: float | None, beta: float | None) -> Callable[[Any], Any] | None:
    """A function that recurrent operators know by name, or None if there is no such."""
    known: dict[str, Callable[[Any], Any]] = {
        "relu": nn.relu,
        "tanh": jnp.tanh,
        "sigmoid": nn.sigmoid,
        "affine": lambda x: _or(alpha, 1.0) * x + _or(beta, 0.0),
        "leakyrelu": lambda x: nn.leaky_relu(x, _or(alpha, 0.01)),
        "thresholdedrelu": lambda x: jnp.where(x > _or(alpha, 1.0), x, jnp.zeros_like(x)),
        "scaledtanh": lambda x: _or(alpha, 1.0) * jnp.tanh(_or(beta, 1.0) * x),
        "hardsigmoid": lambda x: jnp.clip(_or(alpha, 0.2) * x + _or(beta, 0.5), 0, 1),
        "elu": lambda x: nn.elu(x, _or(alpha, 1.0)),
        "softsign": nn.soft_sign,
        "softplus": nn.softplus,
    }
    return known.get(name.lower())


def _or(value: float | None, default: float) -> float:
    return default if value is None else value


OPERATORS: Final[Mapping[str, Rule]] = {
    "Celu": _celu,
    "Elu": _elu,
    "Gelu": _gelu,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": unary(_hard_swish),
    "Hardmax": _along_axis(_hardmax),
    "LeakyRelu": _leaky_relu,
    "LogSoftmax": _along_axis(nn.log_softmax),
    "Mish": unary(_mish),
    "PRelu": _prelu,
    "Relu": unary(_relu),
    "Selu": _selu,
    "Shrink": _shrink,
    "Sigmoid": unary(nn.sigmoid),
    "Softmax": _along_axis(nn.softmax),
    "Softplus": unary(nn.softplus),
    "Softsign": unary(nn.soft_sign),
    "Swish": _swish,
    "ThresholdedRelu": _thresholded_relu,
}
