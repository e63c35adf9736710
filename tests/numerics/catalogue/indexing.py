"""Reading and writing parts of arrays, orders, and running sums."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax
from numerics.cases import case

_X = [0.3, -0.7, 1.9, 0.8]
_MATRIX = [[0.9, -0.3, 0.2], [0.4, 1.4, -0.6]]

CASES = [
    case("index_static", lambda x: x[1] * x[-1] + x[0] ** 2, _X),
    case("index_dynamic", lambda x: x[jnp.argmax(x)] * x[(jnp.sum(x > 0)) % 4], _X),
    case("index_array", lambda x: x[jnp.array([2, 0, 2])] ** 2, _X),
    case("index_beyond_the_end", lambda x: x.at[jnp.array([1, 9])].get(mode="fill", fill_value=0.5) ** 2, _X),
    case("index_clipped", lambda x: x.at[jnp.array([1, 9])].get(mode="clip") ** 3, _X),
    case(
        "index_two_axes", lambda a: a[jnp.array([0, 1, 0]), jnp.array([2, 1, 1])] ** 2, _MATRIX, third=False
    ),
    case("slice_strided", lambda x: x[::2] * x[1::2], _X),
    case("dynamic_slice", lambda x: lax.dynamic_slice(x, (jnp.sum(x > 0) - 2,), (2,)) ** 2, _X),
    case("dynamic_update", lambda x: lax.dynamic_update_slice(x**2, x[:2], (jnp.sum(x > 9) + 1,)), _X),
    case(
        "take_along_axis", lambda a: jnp.take_along_axis(a, jnp.argsort(a, 1), 1) ** 2, _MATRIX, third=False
    ),
    case("set", lambda x: (x**2).at[1].set(x[0] * x[2]), _X),
    case("set_many", lambda x: (x**2).at[jnp.array([3, 1])].set(jnp.sin(x[:2])), _X),
    case("add_at", lambda x: (x**2).at[jnp.array([1, 1, 3])].add(jnp.exp(x[:3])), _X),
    case("multiply_at", lambda x: (x**2).at[jnp.array([0, 2])].multiply(x[:2], unique_indices=True), _X),
    case("segment_sum", lambda x: jax.ops.segment_sum(x**2, jnp.array([0, 1, 0, 2]), 3), _X),
    case("one_hot", lambda x: jax.nn.one_hot(jnp.argmax(x), 4, dtype=x.dtype) @ x**2, _X),
    case("sort", lambda x: jnp.sort(x) ** 2 * jnp.arange(1.0, 5.0), _X),
    case("sort_descending", lambda x: jnp.sort(x, descending=True) * jnp.sort(jnp.sin(x)), _X),
    case("argsort", lambda x: x[jnp.argsort(-x)] ** 3, _X),
    case("sort_pairs", lambda x: lax.sort((x, jnp.sin(x)), num_keys=1)[1] ** 2, _X),
    case("top_k", lambda x: lax.top_k(x, 2)[0] ** 2, _X),
    case("median_quantile", lambda x: jnp.median(x) + jnp.quantile(x, 0.3) ** 2, _X, third=False),
    case("cumsum", lambda x: jnp.cumsum(x**2) * x, _X),
    case("cumprod", jnp.cumprod, _X),
    case("cummax", lambda x: lax.cummax(x) ** 2 + lax.cummin(x, reverse=True), _X),
    case("cumlogsumexp", lax.cumlogsumexp, _X),
    case("associative_scan", lambda x: lax.associative_scan(jnp.multiply, jnp.cos(x)), _X),
    case("searchsorted", lambda x: x * jnp.searchsorted(jnp.array([0.0, 1.0]), x), _X),
    case("triangles", lambda a: jnp.tril(a @ a.T) ** 2 + jnp.diag(jnp.diag(a)), _MATRIX, third=False),
    case("unstack_moveaxis", lambda a: sum(row**2 for row in jnp.moveaxis(a, 1, 0)), _MATRIX, third=False),
]
