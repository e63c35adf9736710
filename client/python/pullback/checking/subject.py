"""What one point's checks share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from pullback._evaluation.tensors import Array
from pullback.checking.comparing import Axes, along, compare
from pullback.checking.differences import Slopes
from pullback.checking.precision import Precision
from pullback.checking.questions import Asking
from pullback.checking.report import Finding, Verdict
from pullback.checking.space import Direction, Leaves, Space, contract
from pullback.errors import LimitExceededError, PullbackError

DIFFERENCES: Final = "finite differences"
# A function that has a reverse rule only may be refused as late as by the compiler.
_WITHOUT: Final = ("DERIVATIVE_UNDEFINED", "INVALID_ARGNUMS", "COMPILATION_FAILED")
_LARGEST_BYTES: Final = 64 << 20


@dataclass(frozen=True, slots=True)
class Subject:
    """A function at a point.

    Attributes:
        space: What moves.
        point: The leaves of all arguments.
        directions: Along what derivatives are checked; at least one.
        precision: What can be expected of the function's types.
        rng: For what is chosen at random.
    """

    space: Space
    point: Leaves
    directions: tuple[Direction, ...]
    precision: Precision
    rng: np.random.Generator

    @property
    def arguments(self) -> tuple[Any, ...]:
        """The arguments at the point."""
        return self.space.arguments(self.point)

    @property
    def tangents(self) -> tuple[Any, ...]:
        """The directions as a batch of tangents."""
        return self.space.tangents(self.stacked)

    @property
    def stacked(self) -> tuple[Array, ...]:
        """For each leaf that moves all directions: (directions, *leaf)."""
        leaves = zip(*(direction.leaves for direction in self.directions), strict=True)
        return tuple(np.stack(changes) for changes in leaves)

    @property
    def has_gradient(self) -> bool:
        """Whether the result is one real scalar."""
        match self.space.result.leaves:
            case [leaf]:
                return not leaf.shape and leaf.element.differentiable and not leaf.element.is_complex
            case _:
                return False

    def axes(self, order: int) -> tuple[Axes, ...]:
        """The axes of each leaf of the derivative of an order."""
        results = zip(self.space.result_paths(), self.space.changing, strict=True)
        leaves: list[Axes] = [
            ((path, len(self.space.result.leaves[number].shape)),) for path, number in results
        ]
        moving = zip(self.space.argument_paths(), self.space.moving, strict=True)
        parts = [(path, len(self.space.signature.leaves[number].shape)) for path, number in moving]
        for _ in range(order):
            leaves = [(*leaf, part) for leaf in leaves for part in parts]
        return tuple(leaves)

    def nbytes(self, order: int) -> int:
        """The bytes of the derivative of an order, in float64."""
        results = sum(self.space.result.leaves[number].size for number in self.space.changing)
        elements: int = results * self.space.coordinates**order
        return elements * 8

    def along(self, derivative: Sequence[Array]) -> tuple[Array, ...]:
        """A derivative of any order applied to all directions, by its last argument.

        Returns:
            For each leaf of the derivative of the order below an array (directions, *leaf).
        """
        count = len(self.space.moving)
        reals = [not self.space.result.leaves[number].element.is_complex for number in self.space.changing]
        groups = len(derivative) // count
        parts = [derivative[i * count : (i + 1) * count] for i in range(groups)]
        each = groups // len(reals) if reals else 1
        return tuple(self._applied(part, real=reals[i // each]) for i, part in enumerate(parts))

    def _applied(self, leaves: Sequence[Array], *, real: bool) -> Array:
        pairs = zip(self.stacked, leaves, strict=True)
        total = sum(contract(changes, leaf) for changes, leaf in pairs)
        return np.asarray(total).real if real else np.asarray(total)


def against_differences(
    derivative: str, subject: Subject, actual: Sequence[Array], slopes: Sequence[Slopes], order: int
) -> Finding:
    """The finding of a derivative of an order, along each direction, against finite differences."""
    pairs = [
        along(array, slope, subject.directions, axes)
        for array, slope, axes in zip(actual, slopes, subject.axes(order - 1), strict=True)
    ]
    return compare(derivative, DIFFERENCES, pairs, subject.precision.differences)


def attempt(
    derivative: str, against: str, work: Callable[[], Asking[tuple[Finding, ...]]], nbytes: int = 0
) -> Asking[tuple[Finding, ...]]:
    """What work finds, or that the function has no such derivative, or that it would be too large.

    Args:
        derivative: What is checked.
        against: What it is compared with.
        work: Does it.
        nbytes: How large the derivative is.
    """
    if nbytes > _LARGEST_BYTES:
        note = f"it has {nbytes >> 20} MiB, and {_LARGEST_BYTES >> 20} are checked"
        return (Finding(derivative, against, Verdict.SKIPPED, note=note),)
    try:
        return (yield from work())
    except LimitExceededError as error:
        return (Finding(derivative, against, Verdict.SKIPPED, note=error.message),)
    except PullbackError as error:
        if error.reason not in _WITHOUT:
            raise
        return (Finding(derivative, against, Verdict.UNAVAILABLE, note=error.message),)
