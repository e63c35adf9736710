"""Operations of JAX's library: one function of operands and plain parameters each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import jax
import jax.numpy as jnp
from jax import lax
from jax.ad_checkpoint import checkpoint_name
from jax.extend.core import primitives

from pullback.program.elements import ElementType
from pullback_server.compute.formats.stablehlo.building import Arrays, Emit, Scope
from pullback_server.compute.formats.stablehlo.composites.parameters import BuildComposite, Values, name_of
from pullback_server.compute.formats.stablehlo.failures import malformed
from pullback_server.compute.formats.stablehlo.primitives import ELEMENTWISE
from pullback_server.compute.formats.stablehlo.syntax import Operation


def _extreme(function: Callable[..., Any]) -> Callable[..., Any]:
    def apply(x: jax.Array, axes: Sequence[int], index_dtype: str) -> jax.Array:
        (axis,) = axes
        index: jax.Array = function(x, axis, ElementType(index_dtype).dtype)
        return index

    return apply


def _eigh(x: jax.Array, lower: bool, sort_eigenvalues: bool) -> Sequence[jax.Array]:
    return lax.linalg.eigh(x, lower=lower, sort_eigenvalues=sort_eigenvalues, symmetrize_input=False)


def _svd(x: jax.Array, full_matrices: bool, compute_uv: bool) -> Sequence[jax.Array]:
    if not compute_uv:
        return [lax.linalg.svd(x, full_matrices=full_matrices, compute_uv=False)]
    left, values, right = lax.linalg.svd(x, full_matrices=full_matrices, compute_uv=True)
    # The primitive gives singular values first.
    return values, left, right


def _schur(x: jax.Array, compute_schur_vectors: bool, sort_eig_vals: bool) -> Sequence[jax.Array]:
    schur: Callable[..., Sequence[jax.Array]] = lax.linalg.schur
    out = schur(x, compute_schur_vectors=compute_schur_vectors, sort_eig_vals=sort_eig_vals)
    return out if compute_schur_vectors else out[:1]


def _tridiagonal(x: jax.Array, lower: bool) -> Sequence[jax.Array]:
    return lax.linalg.tridiagonal(x, lower=lower)


def _approx_top_k(
    x: jax.Array, reduction_dimension: int, is_max_k: bool, **parameters: Any
) -> Sequence[jax.Array]:
    search = lax.approx_max_k if is_max_k else lax.approx_min_k
    return search(x, reduction_dimension=reduction_dimension, **parameters)


def _random_gamma(data: jax.Array, shape: jax.Array, impl: str, log_space: bool) -> jax.Array:
    """A draw of `jax.random.gamma` from the data of its key."""
    key = jax.random.wrap_key_data(data, impl=impl)
    draw: Callable[..., jax.Array] = primitives.random_gamma_p.bind
    return draw(key, shape, log_space=log_space)


def _platform_index(platforms: Sequence[str]) -> jax.Array:
    """The number of the group of platforms that this one belongs to; an empty group is that of all others."""
    default = next((number for number, group in enumerate(platforms) if not group), None)
    choices = {
        platform: _constant(number)
        for number, group in enumerate(platforms)
        for platform in filter(None, group.split(","))
    }
    index: jax.Array = lax.platform_dependent(
        default=None if default is None else _constant(default), **choices
    )
    return index


def _constant(number: int) -> Callable[[], jax.Array]:
    return lambda: jnp.int32(number)


_FUNCTIONS: Final[Mapping[str, Callable[..., Any]]] = {
    **ELEMENTWISE,
    "integer_pow": lax.integer_pow,
    "cumsum": lax.cumsum,
    "cumprod": lax.cumprod,
    "cummax": lax.cummax,
    "cummin": lax.cummin,
    "cumlogsumexp": lax.cumlogsumexp,
    "sort": lambda *operands, **parameters: lax.sort(operands, **parameters),
    "top_k": lax.top_k,
    "argmax": _extreme(lax.argmax),
    "argmin": _extreme(lax.argmin),
    "split": lax.split,
    "stack": lambda *operands, axis: lax.stack(operands, axis),
    "unstack": lax.unstack,
    "tile": lax.tile,
    # The public function would take a triangle that the program takes itself.
    "cholesky": primitives.cholesky_p.bind,
    "lu": lax.linalg.lu,
    "qr": lax.linalg.qr,
    "eigh": _eigh,
    "eig": lax.linalg.eig,
    "svd": _svd,
    "triangular_solve": lax.linalg.triangular_solve,
    "tridiagonal_solve": lax.linalg.tridiagonal_solve,
    "householder_product": lax.linalg.householder_product,
    "hessenberg": lax.linalg.hessenberg,
    "schur": _schur,
    "tridiagonal": _tridiagonal,
    "lu_pivots_to_permutation": lax.linalg.lu_pivots_to_permutation,
    "approx_top_k": _approx_top_k,
    "random_gamma": _random_gamma,
    "name": checkpoint_name,
    "platform_index": _platform_index,
}


def _builder(function: Callable[..., Any]) -> BuildComposite:
    def build(operation: Operation, _: Scope, values: Values) -> Emit:
        _require_axes(operation, values)

        def emit(operands: Arrays) -> Arrays:
            out = function(*operands, **values)
            return list(out) if isinstance(out, tuple | list) else [out]

        return emit

    return build


def _require_axes(operation: Operation, values: Values) -> None:
    rank = len(operation.operand_types[0].shape) if operation.operand_types else 0
    # What is stacked has one axis more than its parts.
    room = rank + 1 if name_of(operation).endswith(".stack") else rank
    axes = [*values.get("axes", ()), *(values[name] for name in ("axis", "dimension") if name in values)]
    if any(not 0 <= axis < room for axis in axes) or len(values.get("axes", (0,))) != 1:
        raise malformed(name_of(operation), f"has axes {axes} for an operand of {rank} axes")


BUILDERS: Final[Mapping[str, BuildComposite]] = {
    name: _builder(function) for name, function in _FUNCTIONS.items()
}
