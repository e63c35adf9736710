"""Finite differences in many step sizes, extrapolated, with an estimate of their error.

Source: C. J. F. Ridders, Accurate computation of F'(x) and F'(x)F''(x), Advances in Engineering Software
4 (1982): Richardson's extrapolation of central differences, of which the entry with the least change
between neighbours is taken.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from pullback._evaluation.tensors import Array
from pullback.checking.precision import Precision
from pullback.checking.questions import Asking
from pullback.checking.space import Direction, Leaves, Space, widened

_LARGEST_STEP: Final = 0.125
_MOST_HALVINGS: Final = 40
_DEEPEST: Final = 5
_CHUNK_BYTES: Final = 8 << 20
_SAFETY: Final = 10.0
# Between steps that differ by 16, the jump of a kink stays; that of curvature shrinks by 16, and noise grows.
_FAR: Final = 4
_NEAR: Final = 2
_STAYS: Final = (0.25, 4.5)
_STAYS_NEARLY: Final = (0.4, 2.5)
_ABOVE_NOISE: Final = 20.0
_JUMP: Final = 1000.0
Evaluate = Callable[[tuple[Any, ...]], Asking[Any]]
"""Asks for what is differentiated, at a batch of arguments."""


@dataclass(frozen=True, slots=True)
class Slopes:
    """How one leaf of what was differentiated changes along each direction.

    Attributes:
        slope: The best estimate, of shape (directions, *leaf).
        noise: How wrong it may be, in absolute terms.
        kink: Where the slopes to both sides differ, or one side is missing.
        left: The slope to the one side.
        right: The slope to the other side.
    """

    slope: Array
    noise: Array
    kink: Array
    left: Array
    right: Array


def differentiate(
    space: Space,
    point: Leaves,
    directions: Sequence[Direction],
    evaluate: Evaluate,
    leaves_of: Callable[[Any], Leaves],
    precision: Precision,
) -> Asking[tuple[Slopes, ...]]:
    """Differentiates along directions by finite differences.

    Args:
        space: What moves.
        point: Where.
        directions: Along what; at least one.
        evaluate: Asks for what is differentiated.
        leaves_of: The leaves of its answer.
        precision: How accurate it is.
    """
    centre = leaves_of((yield from evaluate(space.arguments(point))))
    steps = _steps(space, point, directions, precision)
    found: list[list[Slopes]] = []
    for part in _chunks(space, point, centre, steps):
        chosen, widths = [directions[i] for i in part], steps[part.start : part.stop]
        batch = [_batch(chosen, widths, place) for place in range(len(space.moving))]
        values = leaves_of((yield from evaluate(space.moved(point, batch))))
        reach = _reach(space, point, chosen)
        found.append([_slopes(*pair, widths, reach, precision) for pair in zip(values, centre, strict=True)])
    return tuple(_joined(parts) for parts in zip(*found, strict=True))


def _steps(space: Space, point: Leaves, directions: Sequence[Direction], precision: Precision) -> Array:
    """For each direction its steps, each half of the one before; down to where small arguments are large."""
    reach, smallest = _reach(space, point, directions), _smallest(space, point)
    largest = np.exp2(np.ceil(np.log2(np.maximum(reach, 1.0)))) * _LARGEST_STEP
    extra = math.ceil(-math.log2(smallest)) if 0 < smallest < 1 else 0
    halvings = min(precision.halvings + min(extra, precision.halvings), _MOST_HALVINGS)
    steps: Array = largest[:, None] * np.exp2(-np.arange(halvings))[None, :]
    return steps


def _reach(space: Space, point: Leaves, directions: Sequence[Direction]) -> Array:
    """For each direction the largest element that it moves."""

    def largest(direction: Direction) -> float:
        pairs = zip(space.moving, direction.leaves, strict=True)
        moved = [np.abs(widened(point[number]))[change != 0] for number, change in pairs]
        return max((float(part.max()) for part in moved if part.size), default=0.0)

    return np.array([largest(direction) for direction in directions])


def _smallest(space: Space, point: Leaves) -> float:
    parts = [np.abs(widened(point[number])).reshape(-1) for number in space.moving]
    sizes = np.concatenate(parts)
    return float(sizes[sizes > 0].min(initial=1.0))


def _chunks(space: Space, point: Leaves, centre: Leaves, steps: Array) -> Iterator[range]:
    """Directions in portions whose points are not too much for one request."""
    moving = sum(point[number].nbytes for number in space.moving)
    nbytes = (moving + sum(leaf.nbytes for leaf in centre)) * 2 * steps.shape[1]
    count = max(1, _CHUNK_BYTES // max(nbytes, 1))
    for start in range(0, len(steps), count):
        yield range(start, min(start + count, len(steps)))


def _batch(directions: Sequence[Direction], steps: Array, place: int) -> Array:
    """The steps of one leaf: (directions * halvings * 2, *leaf), forward before backward."""
    changes = np.stack([direction.leaves[place] for direction in directions])
    signed = np.stack([steps, -steps], axis=-1)
    shape = changes.shape[1:]
    spread = signed.reshape(*signed.shape, *[1] * len(shape)) * changes[:, None, None]
    batch: Array = spread.reshape(-1, *shape)
    return batch


def _slopes(values: Array, centre: Array, steps: Array, reach: Array, precision: Precision) -> Slopes:
    """The slopes of one leaf; inside, the step is the first axis and the direction the second."""
    shape = centre.shape
    ahead, behind = np.moveaxis(values.reshape(*steps.shape, 2, *shape), (2, 1), (0, 1))
    width = steps.T.reshape(*steps.T.shape, *[1] * len(shape))
    with np.errstate(all="ignore"):
        central = (ahead - behind) / (2 * width)
        size = np.maximum(np.maximum(np.abs(ahead), np.abs(behind)), np.abs(centre))
        moved = reach.reshape(1, -1, *[1] * len(shape)) * np.abs(central)
        roundoff = precision.epsilon * (size + moved) / width
        slope, error = extrapolate(central, roundoff)
        right, left = (ahead - centre) / width, (centre - behind) / width
        kink = _kinks(left, right, roundoff) | _jumps(np.abs(ahead - behind), roundoff * width)
        return Slopes(slope, _SAFETY * error, kink, _settled(left), _settled(right))


def extrapolate(central: Array, roundoff: Array) -> tuple[Array, Array]:
    """The best of all extrapolations, and an estimate of its error.

    Args:
        central: Central differences, each with half the step of the one before, along the first axis.
        roundoff: What rounding alone may make of them.
    """
    best, error = central[-1], np.full(central.shape[1:], np.inf)
    column = central
    for order in range(1, min(_DEEPEST, len(central) - 1) + 1):
        weight = 4.0**order
        raised = (weight * column[1:] - column[:-1]) / (weight - 1)
        change = np.maximum(np.abs(raised - column[1:]), np.abs(raised - column[:-1])) + roundoff[order:]
        change = np.where(np.isfinite(change), change, np.inf)
        least = np.argmin(change, axis=0)[None]
        found, spread = (np.take_along_axis(part, least, 0)[0] for part in (raised, change))
        best, error = np.where(spread < error, found, best), np.minimum(spread, error)
        column = raised
    return best, error


def _kinks(left: Array, right: Array, roundoff: Array) -> Array:
    """Where the slopes to both sides differ however small the step, or one side is missing."""
    jump = np.abs(right - left)
    significant = jump > _ABOVE_NOISE * roundoff
    count = len(jump)
    last = count - 1 - np.argmax(significant[::-1], axis=0)
    enough = significant.any(axis=0) & (last >= _FAR)

    def at(back: int) -> Array:
        found: Array = np.take_along_axis(jump, np.maximum(last - back, 0)[None], 0)[0]
        return found

    far, near = at(0) / at(_FAR), at(0) / at(_NEAR)
    stays = _within(far, _STAYS) & _within(near, _STAYS_NEARLY)
    one_sided = np.isfinite(left).any(axis=0) != np.isfinite(right).any(axis=0)
    kink: Array = (enough & stays) | one_sided
    return kink


def _jumps(change: Array, roundoff: Array) -> Array:
    """Where the values to both sides differ however small the step."""
    if len(change) <= _FAR:
        return np.zeros(change.shape[1:], bool)
    stays = _within(change[-1] / change[-1 - _FAR], _STAYS_NEARLY)
    jumps: Array = stays & (change[-1] > _JUMP * roundoff[-1])
    return jumps


def _within(ratio: Array, bounds: tuple[float, float]) -> Array:
    inside: Array = (ratio > bounds[0]) & (ratio < bounds[1])
    return inside


def _settled(sided: Array) -> Array:
    """A slope to one side, at a step that is small and not yet all noise."""
    settled: Array = sided[len(sided) // 2]
    return settled


def _joined(parts: Sequence[Slopes]) -> Slopes:
    def join(name: str) -> Array:
        return np.concatenate([getattr(part, name) for part in parts])

    return Slopes(*map(join, ("slope", "noise", "kink", "left", "right")))
