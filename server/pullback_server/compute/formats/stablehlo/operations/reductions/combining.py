"""Regions that combine elements, applied to arrays: as JAX does it, and so that JAX can differentiate it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from pullback.program.elements import ElementType
from pullback_server.compute.formats.stablehlo.building import Arrays, Body
from pullback_server.compute.formats.stablehlo.operations.elementwise import limits_of, on_scalars
from pullback_server.compute.formats.stablehlo.operations.reductions.regions import binary_operation
from pullback_server.compute.formats.stablehlo.syntax import Block

Combine = Callable[[Arrays, Arrays], list[jax.Array]]
"""From arrays to the left and to the right to their combination, element by element."""

COMBINERS: Final[Mapping[str, Callable[..., Any]]] = {
    "stablehlo.add": lax.add,
    "stablehlo.multiply": lax.mul,
    "stablehlo.maximum": lax.max,
    "stablehlo.minimum": lax.min,
    "stablehlo.and": lax.bitwise_and,
    "stablehlo.or": lax.bitwise_or,
    "stablehlo.xor": lax.bitwise_xor,
}
# What arithmetic is among booleans.
_AMONG_BOOLEANS: Final = {
    "stablehlo.add": "stablehlo.or",
    "stablehlo.maximum": "stablehlo.or",
    "stablehlo.multiply": "stablehlo.and",
    "stablehlo.minimum": "stablehlo.and",
}
_ORDERED: Final = frozenset({"stablehlo.maximum", "stablehlo.minimum"})


def combiner_of(block: Block) -> str | None:
    """The operation that a region combines two elements by, if JAX has reductions by it; None otherwise."""
    name = binary_operation(block)
    if name is None or name not in COMBINERS:
        return None
    element = block.argument_types[0].element
    if block.argument_types[1].element is not element or (element.is_complex and name in _ORDERED):
        return None
    return _AMONG_BOOLEANS.get(name, name) if element is ElementType.I1 else name


def identity_of(combiner: str, dtype: np.dtype[Any]) -> Any:
    """The element that a combiner leaves others unchanged by."""
    if combiner in ("stablehlo.add", "stablehlo.or", "stablehlo.xor"):
        return dtype.type(0)
    if combiner == "stablehlo.multiply":
        return dtype.type(1)
    if combiner == "stablehlo.and":
        return dtype.type(-1) if dtype.kind == "i" else np.invert(dtype.type(0))
    lowest = combiner == "stablehlo.maximum"
    if jnp.issubdtype(dtype, jnp.integer):
        limits = limits_of(dtype)
        return np.array(limits.min if lowest else limits.max).astype(dtype)[()]
    return dtype.type(-np.inf if lowest else np.inf)


def is_identity(combiner: str, value: Any) -> bool:
    """Whether a value is known to be the combiner's identity; a value that is being traced is not."""
    if not isinstance(value, np.ndarray | np.generic):
        return False
    return bool(np.all(value == identity_of(combiner, value.dtype)))


def combine_by(body: Body, captured: Arrays) -> Combine:
    """A region of scalars as a combination of arrays."""
    return lambda left, right: on_scalars(body, captured, [*left, *right])


def is_traced(values: Arrays) -> bool:
    """Whether any of the values is known only when the program runs."""
    return any(isinstance(value, jax.core.Tracer) for value in values)


def spread(scalars: Arrays, like: Arrays) -> list[jax.Array]:
    """Each scalar in the shape of an array."""
    return [lax.broadcast_in_dim(scalar, one.shape, ()) for scalar, one in zip(scalars, like, strict=True)]


def as_taken(arrays: Arrays, block: Block) -> list[jax.Array]:
    """Arrays in the element types of a region's arguments, which may be wider."""
    types = block.argument_types[: len(arrays)]
    return [
        lax.convert_element_type(array, type_.element.dtype)
        for array, type_ in zip(arrays, types, strict=True)
    ]


def fold(combine: Combine, starts: Arrays, arrays: Arrays) -> list[jax.Array]:
    """Combines the elements along the first axis, neighbours first.

    Args:
        combine: An associative combination.
        starts: The scalars that stand to the left of all elements.
        arrays: Arrays of one shape.
    """
    values, count = list(arrays), arrays[0].shape[0]
    if not count:
        shape = arrays[0].shape[1:]
        return [lax.broadcast_in_dim(start, shape, ()) for start in starts]
    while count > 1:
        even = count - count % 2
        left = [lax.slice_in_dim(value, 0, even, 2) for value in values]
        right = [lax.slice_in_dim(value, 1, even, 2) for value in values]
        last = [lax.slice_in_dim(value, even, count) for value in values]
        pairs = zip(combine(left, right), last, strict=True)
        values, count = [lax.concatenate(pair, 0) for pair in pairs], count - even // 2
    folded = [lax.squeeze(value, (0,)) for value in values]
    return combine(spread(starts, folded), folded)


def differentiated_as(
    function: Callable[..., Sequence[jax.Array]], like: Callable[..., Sequence[jax.Array]]
) -> Callable[..., Sequence[jax.Array]]:
    """A function with the derivatives of another one, which gives the same values."""
    fast = jax.custom_jvp(lambda *operands: tuple(function(*operands)))

    def rule(primals: Any, tangents: Any) -> Any:
        return jax.jvp(lambda *operands: tuple(like(*operands)), primals, tangents)

    fast.defjvp(rule)
    return fast
