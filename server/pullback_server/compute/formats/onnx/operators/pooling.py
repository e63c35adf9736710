"""Pooling."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from pullback_server.compute.formats.onnx.call import Call, Rule
from pullback_server.compute.formats.onnx.operators.windows import Window, window_of


def _window(call: Call, x: jax.Array) -> Window:
    """The window, with more padding behind where the last one may stand over the edge."""
    window = window_of(call, x.shape[2:], call.attribute("kernel_shape"))
    if not call.attribute("ceil_mode", 0) or call.attribute("auto_pad", "NOTSET") != "NOTSET":
        return window
    pads = []
    for size, far, stride, (low, high) in zip(
        x.shape[2:], window.extents, window.strides, window.pads, strict=True
    ):
        count = -(-(size + low + high - far) // stride) + 1
        # A window that would begin in the padding behind is left out.
        count -= (count - 1) * stride >= size + low
        pads.append((low, max(high, (count - 1) * stride + far - size - low)))
    return replace(window, pads=tuple(pads))


def _reduced(x: jax.Array, start: Any, function: Any, window: Window) -> Any:
    return lax.reduce_window(
        x,
        start,
        function,
        (1, 1, *window.sizes),
        (1, 1, *window.strides),
        ((0, 0), (0, 0), *window.pads),
        window_dilation=(1, 1, *window.dilations),
    )


def _lowest(dtype: Any) -> Any:
    floating = jnp.issubdtype(dtype, jnp.floating)
    return np.asarray(-np.inf if floating else np.iinfo(dtype).min, dtype)


def _maximum(call: Call) -> Any:
    x = call.array(0)
    window = _window(call, x)
    result = _reduced(x, _lowest(x.dtype), lax.max, window)
    wants_places = len(call.node.outputs) > 1 and call.node.outputs[1]
    return [result, _places(call, x, window)] if wants_places else result


def _places(call: Call, x: jax.Array, window: Window) -> jax.Array:
    """Where each maximum stands in the whole array, the first of equal ones."""
    column_major = bool(call.attribute("storage_order", 0))
    planes = np.arange(np.prod(x.shape[:2], dtype=np.int64)).reshape(x.shape[:2])
    inner = np.arange(np.prod(x.shape[2:], dtype=np.int64))
    inner = inner.reshape(x.shape[2:], order="F" if column_major else "C")
    places = jnp.asarray(planes.reshape(*x.shape[:2], *(1,) * inner.ndim) * inner.size + inner)

    def better(left: Any, right: Any) -> Any:
        first = (left[0] > right[0]) | ((left[0] == right[0]) & (left[1] < right[1]))
        return tuple(jnp.where(first, one, other) for one, other in zip(left, right, strict=True))

    starts = (_lowest(x.dtype), np.asarray(np.iinfo(np.int64).max))
    found = _reduced((lax.stop_gradient(x), places), starts, better, window)  # type: ignore[arg-type]
    return jnp.asarray(found[1])


def _average(call: Call) -> jax.Array:
    x = call.array(0)
    window = _window(call, x)
    zero = np.zeros((), x.dtype)
    ones = jnp.ones((1, 1, *x.shape[2:]), x.dtype)
    if call.attribute("count_include_pad", 0):
        given = window_of(call, x.shape[2:], call.attribute("kernel_shape")).pads
        ones = jnp.pad(ones, ((0, 0), (0, 0), *given), constant_values=1)
        rest = [(0, behind - already) for (_, behind), (_, already) in zip(window.pads, given, strict=True)]
        counts = _reduced(ones, zero, lax.add, replace(window, pads=tuple(rest)))
    else:
        counts = _reduced(ones, zero, lax.add, window)
    return jnp.divide(_reduced(x, zero, lax.add, window), counts)


def _norm(call: Call) -> jax.Array:
    x, p = call.array(0), call.attribute("p", 2)
    sums = _reduced(jnp.abs(x) ** p, np.zeros((), x.dtype), lax.add, _window(call, x))
    return jnp.power(sums, 1.0 / p)


def _spatial(x: jax.Array) -> tuple[int, ...]:
    return tuple(range(2, x.ndim))


def _global_average(call: Call) -> jax.Array:
    x = call.array(0)
    return jnp.mean(x, _spatial(x), keepdims=True, dtype=x.dtype)


def _global_maximum(call: Call) -> jax.Array:
    x = call.array(0)
    return jnp.max(x, _spatial(x), keepdims=True)


def _global_norm(call: Call) -> jax.Array:
    x, p = call.array(0), call.attribute("p", 2)
    return jnp.power(jnp.sum(jnp.abs(x) ** p, _spatial(x), keepdims=True), 1.0 / p)


def _unpool(call: Call) -> jax.Array:
    """Puts maxima back where they were, and zeros elsewhere."""
    x, places = call.array(0), call.array(1)
    window = window_of(call, x.shape[2:], call.attribute("kernel_shape"))
    own = [
        (size - 1) * stride - low - high + kernel
        for size, stride, kernel, (low, high) in zip(
            x.shape[2:], window.strides, window.sizes, window.pads, strict=True
        )
    ]
    inner = np.asarray([*x.shape[:2], *own])
    shape = call.integers(2, "sizes") if call.has(2) else tuple(int(size) for size in inner)
    # The places count in the array that was pooled, whose size the third input does not change.
    index = jnp.unravel_index(places, tuple(int(size) for size in inner))
    return jnp.zeros(shape, x.dtype).at[index].set(x)


OPERATORS: Final[Mapping[str, Rule]] = {
    "AveragePool": _average,
    "GlobalAveragePool": _global_average,
    "GlobalLpPool": _global_norm,
    "GlobalMaxPool": _global_maximum,
    "LpPool": _norm,
    "MaxPool": _maximum,
    "MaxUnpool": _unpool,
}
