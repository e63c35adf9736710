"""Gathering, scattering, sorting and selecting."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np

from pullback_server.compute.formats.onnx.call import Call, Rule
from pullback_server.compute.formats.onnx.values import Fixed, Value

_K_IS_INPUT: Final = 10


def _gather(call: Call) -> jax.Array:
    return jnp.take(call.array(0), call.array(1), axis=call.attribute("axis", 0))


def _gather_elements(call: Call) -> jax.Array:
    x, indices, axis = call.array(0), call.array(1), call.attribute("axis", 0)
    grid = _grid(indices, axis)
    return x[grid]


def _grid(indices: jax.Array, axis: int) -> tuple[Any, ...]:
    """An index for each axis: the place itself, and along one axis what the indices say."""
    places = jnp.indices(indices.shape, sparse=True)
    return tuple(indices if i == axis % indices.ndim else place for i, place in enumerate(places))


def _gather_nd(call: Call) -> jax.Array:
    def gather(x: jax.Array, indices: jax.Array) -> jax.Array:
        return x[tuple(jnp.moveaxis(indices, -1, 0))]

    function: Callable[..., jax.Array] = gather
    for _ in range(call.attribute("batch_dims", 0)):
        function = jax.vmap(function)
    return function(call.array(0), call.array(1))


def _scatter_elements(call: Call) -> jax.Array:
    indices = call.array(1)
    grid = _grid(indices, call.attribute("axis", 0))
    return _scattered(call, call.array(0), grid, call.array(2))


def _scatter_nd(call: Call) -> jax.Array:
    index = tuple(jnp.moveaxis(call.array(1), -1, 0))
    return _scattered(call, call.array(0), index, call.array(2))


def _scattered(call: Call, x: jax.Array, index: tuple[Any, ...], updates: jax.Array) -> jax.Array:
    place = x.at[index]
    reductions: dict[str, Callable[[jax.Array], jax.Array]] = {
        "none": place.set,
        "add": place.add,
        "mul": place.multiply,
        "max": place.max,
        "min": place.min,
    }
    return reductions[call.attribute("reduction", "none")](updates)


def _tensor_scatter(call: Call) -> jax.Array:
    """Writes rows into a cache, each batch from its own place on."""
    past, update = call.array(0), call.array(1)
    axis = call.attribute("axis", -2) % past.ndim
    starts = call.optional(2)
    starts = jnp.zeros(past.shape[0], jnp.int64) if starts is None else starts
    steps = starts[:, None] + jnp.arange(update.shape[axis])
    if call.attribute("mode", "linear") == "circular":
        steps %= past.shape[axis]
    rows, news = jnp.moveaxis(past, axis, 1), jnp.moveaxis(update, axis, 1)
    written = jax.vmap(lambda row, places, new: row.at[places].set(new))(rows, steps, news)
    return jnp.moveaxis(written, 1, axis)


def _top_k(call: Call) -> list[Value]:
    x, axis = call.array(0), call.attribute("axis", -1)
    k = call.attribute("k") if call.version < _K_IS_INPUT else call.integers(1, "the count")[0]
    order = jnp.argsort(x, axis=axis, descending=bool(call.attribute("largest", 1)), stable=True)
    places = jax.lax.slice_in_dim(order, 0, k, axis=axis)
    return [jnp.take_along_axis(x, places, axis), places.astype(jnp.int64)]


def _compress(call: Call) -> jax.Array:
    x, axis = call.array(0), call.attribute("axis", None)
    (places,) = np.nonzero(call.fixed(1, "a condition"))
    return jnp.take(x.ravel() if axis is None else x, places, axis=axis or 0)


def _non_zero(call: Call) -> Fixed:
    return np.asarray(np.nonzero(np.atleast_1d(call.fixed(0, "values"))), np.int64)


OPERATORS: Final[Mapping[str, Rule]] = {
    "Compress": _compress,
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "GatherND": _gather_nd,
    "NonZero": _non_zero,
    "Scatter": _scatter_elements,
    "ScatterElements": _scatter_elements,
    "ScatterND": _scatter_nd,
    "TensorScatter": _tensor_scatter,
    "TopK": _top_k,
}
