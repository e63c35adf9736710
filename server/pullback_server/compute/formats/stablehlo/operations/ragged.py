"""Products of matrices whose rows, columns or batches fall into groups of given sizes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from pullback_server.compute.formats.stablehlo.building import Arrays, Build, Emit, Scope
from pullback_server.compute.formats.stablehlo.failures import require
from pullback_server.compute.formats.stablehlo.operations.contraction import precision_of
from pullback_server.compute.formats.stablehlo.syntax import Operation

_Axes = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Numbers:
    """Which axes are which.

    Attributes:
        contracting: Those that are summed over, to the left and to the right.
        batching: Those that go side by side.
        ragged: The axis to the left that falls into groups.
        group: The axis to the right that counts the groups, if there is one.
    """

    contracting: tuple[_Axes, _Axes]
    batching: tuple[_Axes, _Axes]
    ragged: int
    group: _Axes


def _numbers(stated: Mapping[str, Any]) -> _Numbers:
    (ragged,) = stated["lhs_ragged_dimensions"]
    return _Numbers(
        (stated["lhs_contracting_dimensions"], stated["rhs_contracting_dimensions"]),
        (stated["lhs_batching_dimensions"], stated["rhs_batching_dimensions"]),
        ragged,
        stated["rhs_group_dimensions"],
    )


def _ragged_dot(operation: Operation, _: Scope) -> Emit:
    """As a dense product with one factor's elements spread over the groups.

    JAX's own `ragged_dot_general` has no batches of its derivatives.
    """
    numbers = _numbers(operation.attributes["ragged_dot_dimension_numbers"])
    left, sizes = (operation.operand_types[place].shape for place in (0, 2))
    prefix = tuple(left[axis] for axis in numbers.batching[0])
    require(sizes[:-1] in ((), prefix), operation, "has sizes of groups for other axes than batches")
    precision, dtype = precision_of(operation), operation.result_types[0].element.dtype

    def emit(operands: Arrays) -> Arrays:
        spread, contracting = _spread(numbers, operands[0], operands[2])
        product = lax.dot_general(
            spread,
            operands[1],
            (contracting, numbers.batching),
            precision=precision,
            preferred_element_type=dtype,
        )
        if numbers.ragged not in numbers.contracting[0]:
            return [product]
        # A group of products each: the axis of groups stands last among those of the left factor.
        place = spread.ndim - 1 - len(contracting[0])
        return [jnp.moveaxis(product, place, 0)]

    return emit


def _spread(numbers: _Numbers, left: jax.Array, sizes: jax.Array) -> tuple[jax.Array, Any]:
    """The left factor with a last axis of groups, in each of which the others' elements are zero."""
    members = _members(numbers, left, sizes)
    zero = jnp.zeros((), left.dtype)
    if numbers.ragged in numbers.batching[0]:
        return jnp.where(jnp.any(members, -1), left, zero), numbers.contracting
    spread = jnp.where(members, left[..., None], zero)
    if not numbers.group:
        return spread, numbers.contracting
    summed, along = numbers.contracting
    return spread, ((*summed, left.ndim), (*along, *numbers.group))


def _members(numbers: _Numbers, left: jax.Array, sizes: jax.Array) -> jax.Array:
    """Whether each element is in each group: the left factor's axes, then that of the groups."""
    ends = jnp.cumsum(sizes, axis=-1)
    places = np.arange(left.shape[numbers.ragged])[:, None]
    members = (places >= (ends - sizes)[..., None, :]) & (places < ends[..., None, :])
    prefix = numbers.batching[0] if sizes.ndim > 1 else ()
    axes = (*prefix, numbers.ragged, left.ndim)
    order = sorted(range(len(axes)), key=axes.__getitem__)
    shape = (*left.shape, sizes.shape[-1])
    return lax.broadcast_in_dim(lax.transpose(members, order), shape, sorted(axes))


BUILDERS: Final[Mapping[str, Build]] = {"chlo.ragged_dot": _ragged_dot}
