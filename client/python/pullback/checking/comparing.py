"""Compares derivatives, and says where they differ most."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from pullback._evaluation.tensors import Array
from pullback.checking.differences import Slopes
from pullback.checking.precision import Precision
from pullback.checking.report import Finding, Verdict
from pullback.checking.space import Direction, spell_place

_TINY: Final = np.finfo(np.float64).tiny
# Differences that may be wrong by more than this much of the derivative say nothing about it.
_SAYS_NOTHING: Final = 0.1
_ROUNDINGS: Final = 64

Place = Callable[[tuple[int, ...]], tuple[str, str]]
"""Says of an index in the arrays that are compared where it is in the arguments and in the result."""

Axes = tuple[tuple[str, int], ...]
"""The leaves that the axes of an array belong to: for each its path and how many axes it has."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two arrays that should be equal.

    Attributes:
        actual: What is checked.
        expected: What it should be.
        noise: How wrong what is expected may be, in absolute terms.
        place: Where an index is.
        slopes: The finite differences that were expected, for what is said of kinks.
    """

    actual: Array
    expected: Array
    noise: Array
    place: Place
    slopes: Slopes | None = None


@dataclass(frozen=True, slots=True)
class _Worst:
    error: float = -1.0
    argument: str = ""
    result: str = ""
    note: str = ""


@dataclass(slots=True)
class _Judgement:
    tolerance: float
    worst: _Worst = field(default_factory=_Worst)
    kink: _Worst = field(default_factory=_Worst)
    conclusive: bool = False

    def take(self, pair: Pair) -> None:
        """Compares one pair."""
        if pair.actual.size == 0:
            return
        errors = _errors(pair, self.tolerance)
        kinks = np.zeros(errors.shape, bool) if pair.slopes is None else pair.slopes.kink
        self.conclusive |= bool((_conclusive(pair, self.tolerance) & ~kinks).any())
        worst = _largest(pair, np.where(kinks, -1.0, errors), self.tolerance)
        kink = _largest(pair, np.where(kinks, errors, -1.0), -1.0)
        self.worst = max(self.worst, worst, key=lambda w: w.error)
        self.kink = max(self.kink, kink, key=lambda w: w.error)


def compare(derivative: str, against: str, pairs: Sequence[Pair], tolerance: float) -> Finding:
    """The finding of a comparison of arrays: the largest error of all of them.

    The error of an element is its difference over the larger of both, or over what makes the noise pass.
    """
    judgement = _Judgement(tolerance)
    for pair in pairs:
        judgement.take(pair)
    worst, verdict = judgement.worst, Verdict.PASSED
    if worst.error == np.inf and judgement.kink.error >= 0:
        # Zero times an infinite slope: what a kink or an end elsewhere makes of this direction.
        verdict = Verdict.KINK
    elif worst.error > tolerance:
        verdict = Verdict.FAILED
    elif judgement.kink.error >= 0:
        worst, verdict = judgement.kink, Verdict.KINK
    elif not judgement.conclusive and any(pair.actual.size for pair in pairs):
        verdict = Verdict.INCONCLUSIVE
    finding = Finding(derivative, against, verdict, max(worst.error, 0.0), tolerance)
    return replace(finding, argument=worst.argument, result=worst.result, note=worst.note)


def alike(actual: Array, expected: Array, precision: Precision, place: Place) -> Pair:
    """A pair that should differ by rounding only."""
    finite = [np.abs(part[np.isfinite(part)]) for part in (actual, expected)]
    scale = max((float(part.max()) for part in finite if part.size), default=0.0)
    noise = min(_ROUNDINGS * precision.epsilon, precision.exact) * scale
    return Pair(actual, expected, np.full(actual.shape, noise), place)


def along(actual: Array, slopes: Slopes, directions: Sequence[Direction], axes: Axes) -> Pair:
    """A pair of a derivative along directions and its finite differences."""
    return Pair(actual, slopes.slope, slopes.noise, by_direction(directions, axes), slopes)


def by_direction(directions: Sequence[Direction], axes: Axes = ()) -> Place:
    """Places in arrays whose first axis is that of directions."""
    return lambda index: (directions[index[0]].where, spell_axes(axes, index[1:]))


def in_result(axes: Axes) -> Place:
    """Places in arrays that a derivative has in itself."""
    return lambda index: ("", spell_axes(axes, index))


def spell_axes(axes: Axes, index: tuple[int, ...]) -> str:
    """An element of an array whose axes are those of several leaves, such as `result[1] by x[3]`."""
    parts, rest = [], index
    for path, count in axes:
        parts.append(spell_place(path, rest[:count]))
        rest = rest[count:]
    return " by ".join(parts)


def _errors(pair: Pair, tolerance: float) -> Array:
    with np.errstate(all="ignore"):
        difference = np.abs(pair.actual - pair.expected)
        size = np.maximum(np.abs(pair.actual), np.abs(pair.expected))
        errors = difference / np.maximum(np.maximum(size, pair.noise / tolerance), _TINY)
    # Differences that could not be taken say nothing; where they could, a derivative has to be finite. Two
    # derivatives are compared where both are finite.
    unknown = ~np.isfinite(pair.expected) | ~np.isfinite(pair.noise)
    broken = ~np.isfinite(pair.actual)
    if pair.slopes is None:
        unknown, broken = unknown | broken, np.zeros_like(broken)
    found: Array = np.where(unknown, 0.0, np.where(broken, np.inf, errors))
    return found


def _conclusive(pair: Pair, tolerance: float) -> Array:
    if pair.slopes is None:
        return np.ones(pair.actual.shape, bool)
    with np.errstate(all="ignore"):
        size = np.maximum(np.abs(pair.actual), np.abs(pair.expected))
        scale = float(np.max(np.where(np.isfinite(size), size, 0.0), initial=0.0))
        known: Array = pair.noise <= np.maximum(_SAYS_NOTHING * size, tolerance * max(scale, tolerance))
    return known


def _largest(pair: Pair, errors: Array, bound: float) -> _Worst:
    index = _place_of_largest(errors)
    if pair.slopes is not None and index[0] == len(errors) - 1 and errors[:-1].size:
        # The last direction moves everything; an element tells more, if the error is there as well.
        single = _place_of_largest(errors[:-1])
        index = single if errors[single] > bound else index
    error = float(errors[index])
    if error < 0:
        return _Worst()
    argument, result = pair.place(index)
    return _Worst(error, argument, result, _note(pair, index))


def _place_of_largest(errors: Array) -> tuple[int, ...]:
    return tuple(map(int, np.unravel_index(int(np.argmax(errors)), errors.shape)))


def _note(pair: Pair, index: tuple[int, ...]) -> str:
    actual, expected = pair.actual[index], pair.expected[index]
    slopes = pair.slopes
    if slopes is not None and slopes.kink[index]:
        left, right = _spell(slopes.left[index]), _spell(slopes.right[index])
        return f"{_spell(actual)}; slopes to both sides {left} and {right}"
    return f"{_spell(actual)} and {_spell(expected)}"


def _spell(number: complex) -> str:
    return f"{number:.8g}"
