"""What a custom call says: its target, its configuration, and the layouts of its matrices."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from pullback.program.tensors import TensorType
from pullback_server.compute.formats.stablehlo.building import Emit, Scope
from pullback_server.compute.formats.stablehlo.failures import malformed, unsupported
from pullback_server.compute.formats.stablehlo.syntax import Operation


@dataclass(frozen=True, slots=True)
class Call:
    """A custom call.

    Attributes:
        target: The name of what it calls.
        operation: The operation.
        scope: What its builder can ask for.
    """

    target: str
    operation: Operation
    scope: Scope

    @property
    def name(self) -> str:
        """How messages call it."""
        return f"stablehlo.custom_call @{self.target}"

    @property
    def results(self) -> tuple[TensorType, ...]:
        """The types of its results."""
        return self.operation.result_types

    @property
    def configuration(self) -> Mapping[str, Any]:
        """Its typed configuration; empty where it has none."""
        stated = self.operation.attributes
        for name in ("mhlo.backend_config", "backend_config", "mhlo.attributes"):
            if isinstance(stated.get(name), Mapping):
                return dict(stated[name])
        return {}

    def setting(self, name: str, default: Any = None) -> Any:
        """One entry of the configuration.

        Raises:
            ServiceError: MALFORMED_PROGRAM if it is missing and has no default.
        """
        value = self.configuration.get(name, default)
        if value is None:
            raise malformed(self.name, f"lacks {name} in its configuration")
        return value

    def letter(self, name: str) -> str:
        """An entry that LAPACK's interface has as a letter."""
        return chr(self.setting(name)).upper()

    def require_operands(self, *ranks: int | None) -> None:
        """Requires as many operands, of these ranks beyond the batch that the first one has.

        Raises:
            ServiceError: MALFORMED_PROGRAM if they are others.
        """
        actual = [len(type_.shape) for type_ in self.operation.operand_types]
        batch = actual[0] - (ranks[0] or 0) if actual else 0
        expected = [rank if rank is None else rank + batch for rank in ranks]
        if len(actual) != len(expected) or any(
            rank is not None and rank != found for rank, found in zip(expected, actual, strict=True)
        ):
            raise malformed(self.name, f"has operands of {actual} axes")

    def require_layout(self, *, column_major: bool = True) -> None:
        """Requires that matrices lie in memory as JAX lays them out for this call.

        In another layout the code behind the call would see them transposed.

        Raises:
            ServiceError: UNSUPPORTED_OPERATION if they do not.
        """
        layouts = [
            tuple(map(int, layout))
            for name in ("operand_layouts", "result_layouts")
            for layout in self.operation.attributes.get(name, ())
        ]
        rank = max((len(type_.shape) for type_ in self.operation.operand_types), default=0)
        batch = range(rank - 3, -1, -1)
        expected = (rank - 2, rank - 1, *batch) if column_major else (rank - 1, rank - 2, *batch)
        if not layouts or any(len(layout) == rank and layout != expected for layout in layouts):
            raise unsupported(
                self.name,
                "has matrices in another layout than JAX gives them",
                "export the function from JAX, or write the operation without a custom call",
            )


BuildCall = Callable[[Call], Emit]
"""Checks a custom call and gives what emits it."""


def undefined(type_: TensorType) -> jax.Array:
    """What the code behind a call leaves undefined: NaN where there is one, so that a use shows."""
    inexact = jnp.issubdtype(type_.element.dtype, jnp.inexact)
    return jnp.full(type_.shape, jnp.nan if inexact else 0, type_.element.dtype)


def failures(result: jax.Array, axes: int) -> jax.Array:
    """LAPACK's `info`, as far as callers look at it: 1 where a result has NaNs, and 0.

    JAX's operations replace what failed by NaNs, in each element of the batch.

    Args:
        result: A result.
        axes: The number of its axes that are no batch.
    """
    return jnp.isnan(result).any(tuple(range(-axes, 0))).astype(jnp.int32)
