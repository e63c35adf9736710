"""Reductions, running sums, and places of extremes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp

from pullback_server.compute.formats.onnx.call import Call, Rule

_AXES_ARE_INPUT: Final = 18
_SUM_AXES_ARE_INPUT: Final = 13


def _reduction(function: Callable[..., Any], since: int = _AXES_ARE_INPUT) -> Rule:
    def rule(call: Call) -> jax.Array:
        x = call.array(0)
        axes = call.fixed_or_attribute(1, "axes", since)
        if not axes:
            if call.attribute("noop_with_empty_axes", 0):
                # The operator is then applied to each element by itself.
                return _apart(function, x)
            axes = tuple(range(x.ndim))
        return jnp.asarray(function(x, axes, bool(call.attribute("keepdims", 1))))

    return rule


def _apart(function: Callable[..., Any], x: jax.Array) -> jax.Array:
    return jnp.asarray(function(x[..., None], (x.ndim,), keep=False))


def _plain(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, axes, keep: function(x, axis=axes, keepdims=keep, dtype=x.dtype)


def _extreme(function: Callable[..., Any], empty: Callable[[Any], Any]) -> Callable[..., Any]:
    """What is empty has the extreme that every element would beat."""

    def reduce(x: jax.Array, axes: tuple[int, ...], keep: bool) -> Any:
        if all(x.shape[axis] for axis in axes):
            return function(x, axis=axes, keepdims=keep)
        return function(x, axis=axes, keepdims=keep, initial=empty(x.dtype))

    return reduce


def _lowest(dtype: Any) -> Any:
    if dtype == np.bool_:
        return False
    return -np.inf if jnp.issubdtype(dtype, jnp.floating) else np.iinfo(dtype).min


def _highest(dtype: Any) -> Any:
    if dtype == np.bool_:
        return True
    return np.inf if jnp.issubdtype(dtype, jnp.floating) else np.iinfo(dtype).max


def _sum(x: Any, axes: tuple[int, ...], keep: bool) -> Any:
    return jnp.sum(x, axis=axes, keepdims=keep, dtype=x.dtype)


def _l1(x: Any, axes: tuple[int, ...], keep: bool) -> Any:
    return _sum(jnp.abs(x), axes, keep)


def _sum_of_squares(x: Any, axes: tuple[int, ...], keep: bool) -> Any:
    return _sum(jnp.square(x), axes, keep)


def _l2(x: Any, axes: tuple[int, ...], keep: bool) -> Any:
    squares = _sum_of_squares(x, axes, keep)
    return jnp.sqrt(squares).astype(x.dtype)


def _log_sum(x: Any, axes: tuple[int, ...], keep: bool) -> Any:
    return jnp.log(_sum(x, axes, keep)).astype(x.dtype)


def _log_sum_exp(x: Any, axes: tuple[int, ...], keep: bool) -> Any:
    return logsumexp(x, axis=axes, keepdims=keep).astype(x.dtype)


def _place(function: Callable[..., Any]) -> Rule:
    def rule(call: Call) -> jax.Array:
        x, axis = call.array(0), call.attribute("axis", 0)
        keep = bool(call.attribute("keepdims", 1))
        if not call.attribute("select_last_index", 0):
            found = function(x, axis=axis, keepdims=keep)
        else:
            found = x.shape[axis] - 1 - function(jnp.flip(x, axis), axis=axis, keepdims=keep)
        return jnp.asarray(found, jnp.int64)

    return rule


def _running(function: Callable[..., Any], start: int) -> Rule:
    def rule(call: Call) -> jax.Array:
        x = call.array(0)
        (axis,) = call.integers(1, "the axis")
        reverse = bool(call.attribute("reverse", 0))
        x = jnp.flip(x, axis) if reverse else x
        if call.attribute("exclusive", 0) and x.shape[axis]:
            first = jnp.full_like(jax.lax.slice_in_dim(x, 0, 1, axis=axis), start)
            x = jnp.concatenate([first, jax.lax.slice_in_dim(x, 0, x.shape[axis] - 1, axis=axis)], axis)
        found = jnp.asarray(function(x, axis=axis, dtype=x.dtype))
        return jnp.flip(found, axis) if reverse else found

    return rule


OPERATORS: Final[Mapping[str, Rule]] = {
    "ArgMax": _place(jnp.argmax),
    "ArgMin": _place(jnp.argmin),
    "CumProd": _running(jnp.cumprod, 1),
    "CumSum": _running(jnp.cumsum, 0),
    "ReduceL1": _reduction(_l1),
    "ReduceL2": _reduction(_l2),
    "ReduceLogSum": _reduction(_log_sum),
    "ReduceLogSumExp": _reduction(_log_sum_exp),
    "ReduceMax": _reduction(_extreme(jnp.max, _lowest)),
    "ReduceMean": _reduction(_plain(jnp.mean)),
    "ReduceMin": _reduction(_extreme(jnp.min, _highest)),
    "ReduceProd": _reduction(_plain(jnp.prod)),
    "ReduceSum": _reduction(_sum, _SUM_AXES_ARE_INPUT),
    "ReduceSumSquare": _reduction(_sum_of_squares),
}
