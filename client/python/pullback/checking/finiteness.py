"""What is not finite, where it is, and which elements of the arguments bring it about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np

from pullback._evaluation.tensors import Array
from pullback._evaluation.wants import Quantity
from pullback.checking.questions import Asking, ask
from pullback.checking.report import NonFinite
from pullback.checking.space import Leaves, Space, spell_place, tree_leaves, widened
from pullback.checking.subject import Subject
from pullback.errors import InvalidArgumentError, LimitExceededError, ServerError

_MOST_TOLD: Final = 20
_MOST_TRIED: Final = 1024


def not_finite(
    quantity: str, paths: Sequence[str], leaves: Sequence[Array], point: int
) -> Iterator[NonFinite]:
    """The first elements that are not finite."""
    told = 0
    for path, leaf in zip(paths, leaves, strict=True):
        for index in np.argwhere(~np.isfinite(leaf)):
            told += 1
            if told > _MOST_TOLD:
                return
            place = tuple(map(int, index))
            yield NonFinite(quantity, spell_place(path, place), _spell(leaf[place]), point)


def check_gradient(subject: Subject, number: int) -> Asking[tuple[NonFinite, ...]]:
    """The elements of the first derivative that are not finite; none where it does not exist."""
    space = subject.space
    name: Quantity = "grad" if subject.has_gradient else "jacobian"
    try:
        found = yield from ask(name, subject.arguments, space.argnums)
    except (InvalidArgumentError, LimitExceededError, ServerError):
        return ()
    paths = [" by ".join(path for path, _ in axes) for axes in subject.axes(1)]
    leaves = list(tree_leaves(found))
    if subject.has_gradient:
        paths = list(space.argument_paths())
    return tuple(not_finite(name, paths, leaves, number))


def culprits(space: Space, bad: Leaves, good: Sequence[Leaves]) -> Asking[tuple[str, ...]]:
    """The elements that alone make a value not finite where it was finite.

    Args:
        space: What moves.
        bad: A point whose value is not finite.
        good: Points whose values may be finite; the first that is counts.
    """
    elements = [
        (place, index) for place, number in enumerate(space.moving) for index in np.ndindex(bad[number].shape)
    ]
    if not elements or len(elements) > _MOST_TRIED:
        return ()
    for base in good:
        if all(np.isfinite(leaf).all() for leaf in (yield from _value(space, space.arguments(base)))):
            values = yield from _value(space, space.arguments(_exchanged(space, base, bad, elements)))
            broken = np.logical_or.reduce(
                [~np.isfinite(leaf).reshape(len(elements), -1).all(axis=1) for leaf in values]
            )
            named = zip(elements, broken, strict=True)
            paths = space.argument_paths()
            found = [spell_place(paths[place], index) for (place, index), wrong in named if wrong]
            return tuple(found[:_MOST_TOLD])
    return ()


def _value(space: Space, arguments: tuple[Any, ...]) -> Asking[Leaves]:
    return space.value_leaves((yield from ask("value", arguments)))


def _exchanged(
    space: Space, base: Leaves, bad: Leaves, elements: Sequence[tuple[int, tuple[int, ...]]]
) -> list[Array]:
    """A batch with the base as often as there are elements, each with one element of the bad point."""
    leaves = list(base)
    for place, number in enumerate(space.moving):
        batch = np.repeat(base[number][None], len(elements), axis=0)
        for row, (where, index) in enumerate(elements):
            if where == place:
                batch[(row, *index)] = bad[number][index]
        leaves[number] = batch
    return leaves


def tame(point: Leaves) -> tuple[Leaves, ...]:
    """Points at which functions that are not finite at a point may be finite: its sizes, and halves."""
    sizes = tuple(
        _kept(leaf, np.abs(np.nan_to_num(widened(leaf), nan=0.5, posinf=0.5, neginf=0.5))) for leaf in point
    )
    halves = tuple(_kept(leaf, np.full(leaf.shape, 0.5)) for leaf in point)
    return sizes, halves


def _kept(leaf: Array, changed: Array) -> Array:
    """What was changed, in the leaf's dtype; an integer is left as it is."""
    return changed.astype(leaf.dtype) if leaf.dtype.kind not in "biu" else leaf


def _spell(number: complex) -> str:
    return str(number)
