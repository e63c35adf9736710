"""Batch normalization: over all axes but that of the features.

Source: StableHLO specification, "batch_norm_training", "batch_norm_inference", "batch_norm_grad".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import jax
from jax import lax

from pullback_server.compute.formats.stablehlo.building import Arrays, Build, Emit, Scope
from pullback_server.compute.formats.stablehlo.syntax import Operation


@dataclass(frozen=True, slots=True)
class _Features:
    """The shape that is normalized.

    Attributes:
        shape: The shape of the operand.
        axis: The axis of the features.
        epsilon: What is added to variances.
    """

    shape: tuple[int, ...]
    axis: int
    epsilon: float

    def over(self, per_feature: jax.Array) -> jax.Array:
        """A value for each feature, in the operand's shape."""
        return lax.broadcast_in_dim(per_feature, self.shape, (self.axis,))

    def total(self, array: jax.Array) -> jax.Array:
        """The sum for each feature."""
        return lax.reduce_sum(array, tuple(axis for axis in range(len(self.shape)) if axis != self.axis))

    @property
    def count(self) -> int:
        """The number of elements of each feature."""
        return math.prod(self.shape[: self.axis] + self.shape[self.axis + 1 :])

    def mean(self, array: jax.Array) -> jax.Array:
        """The mean of each feature."""
        total = self.total(array)
        return lax.div(total, lax.full_like(total, self.count))

    def deviation(self, variance: jax.Array) -> jax.Array:
        """The standard deviation of each feature."""
        return lax.sqrt(lax.add(variance, lax.full_like(variance, self.epsilon)))


def _inference(features: _Features, operands: Arrays) -> list[jax.Array]:
    operand, scale, offset, mean, variance = operands
    centered = lax.sub(operand, features.over(mean))
    normalized = lax.div(centered, features.over(features.deviation(variance)))
    return [lax.add(lax.mul(normalized, features.over(scale)), features.over(offset))]


def _training(features: _Features, operands: Arrays) -> list[jax.Array]:
    operand, scale, offset = operands
    mean = features.mean(operand)
    centered = lax.sub(operand, features.over(mean))
    variance = features.mean(lax.mul(centered, centered))
    return [*_inference(features, [operand, scale, offset, mean, variance]), mean, variance]


def _grad(features: _Features, operands: Arrays) -> list[jax.Array]:
    operand, scale, mean, variance, cotangent = operands
    deviation = features.deviation(variance)
    normalized = lax.div(lax.sub(operand, features.over(mean)), features.over(deviation))
    # The part of the cotangent that the mean and the variance do not cancel.
    constant = features.over(features.mean(cotangent))
    along = lax.mul(normalized, features.over(features.mean(lax.mul(cotangent, normalized))))
    rest = lax.sub(lax.sub(cotangent, constant), along)
    return [
        lax.mul(features.over(lax.div(scale, deviation)), rest),
        features.total(lax.mul(cotangent, normalized)),
        features.total(cotangent),
    ]


def _builder(function: Callable[[_Features, Arrays], list[jax.Array]]) -> Build:
    def build(operation: Operation, _: Scope) -> Emit:
        attributes = operation.attributes
        shape = operation.operand_types[0].shape
        features = _Features(shape, attributes["feature_index"], attributes["epsilon"])
        return lambda operands: function(features, operands)

    return build


BUILDERS: Final[Mapping[str, Build]] = {
    "stablehlo.batch_norm_inference": _builder(_inference),
    "stablehlo.batch_norm_training": _builder(_training),
    "stablehlo.batch_norm_grad": _builder(_grad),
}
