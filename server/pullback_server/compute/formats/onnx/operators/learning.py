"""Operators of the domain `ai.onnx.ml`, as exporters of classical models emit them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import jax
import jax.numpy as jnp
import numpy as np
from jax import nn
from jax.scipy.special import ndtr

from pullback_server.compute.formats.onnx.call import Call, Rule


def _floating(x: jax.Array) -> jax.Array:
    return x if jnp.issubdtype(x.dtype, jnp.floating) else x.astype(jnp.float32)


def _scaler(call: Call) -> jax.Array:
    x = _floating(call.array(0))
    offset = np.asarray(call.attribute("offset"), x.dtype)
    return (x - offset) * np.asarray(call.attribute("scale"), x.dtype)


def _normalizer(call: Call) -> jax.Array:
    x = _floating(call.array(0))
    kind = call.attribute("norm", "MAX")
    if kind == "MAX":
        norm = jnp.max(jnp.abs(x), -1, keepdims=True)
    elif kind == "L1":
        norm = jnp.sum(jnp.abs(x), -1, keepdims=True)
    else:
        norm = jnp.sqrt(jnp.sum(jnp.square(x), -1, keepdims=True))
    return jnp.where(norm == 0, x, x / jnp.where(norm == 0, 1, norm).astype(x.dtype))


def _linear(call: Call, count: int) -> jax.Array:
    x = _floating(call.array(0))
    weights = np.asarray(call.attribute("coefficients"), x.dtype).reshape(count, -1)
    bias = np.asarray(call.attribute("intercepts", (0.0,) * count), x.dtype)
    return _transformed(call, x @ weights.T + bias)


def _transformed(call: Call, scores: jax.Array) -> jax.Array:
    match call.attribute("post_transform", "NONE"):
        case "NONE":
            return scores
        case "SOFTMAX":
            return nn.softmax(scores)
        case "LOGISTIC":
            return nn.sigmoid(scores)
        case "PROBIT":
            return ndtr(scores)
        case kind:
            raise call.refuse(f"has the post_transform {kind!r}", "use NONE, SOFTMAX, LOGISTIC or PROBIT")


def _regressor(call: Call) -> jax.Array:
    return _linear(call, call.attribute("targets", 1))


def _binarizer(call: Call) -> jax.Array:
    x = call.array(0)
    return jnp.asarray(x > call.attribute("threshold", 0.0)).astype(x.dtype)


def _imputer(call: Call) -> jax.Array:
    x = call.array(0)
    floating = jnp.issubdtype(x.dtype, jnp.floating)
    kind = "float" if floating else "int64"
    missing = call.attribute(f"replaced_value_{kind}", float("nan") if floating else 0)
    values = np.asarray(call.attribute(f"imputed_value_{kind}s"), x.dtype)
    is_missing = jnp.isnan(x) if missing != missing else x == missing  # noqa: PLR0124 -- NaN
    return jnp.where(is_missing, values, x)


def _extractor(call: Call) -> jax.Array:
    x, places = call.array(0), call.array(1).ravel()
    found = x[..., places]
    return found[None] if x.ndim == 1 else found


OPERATORS: Final[Mapping[str, Rule]] = {
    "ArrayFeatureExtractor": _extractor,
    "Binarizer": _binarizer,
    "Imputer": _imputer,
    "LinearRegressor": _regressor,
    "Normalizer": _normalizer,
    "Scaler": _scaler,
}
