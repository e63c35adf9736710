"""A batch against its points, one by one."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

import numpy as np

from pullback._evaluation.tensors import Array
from pullback._evaluation.wants import Quantity
from pullback.checking.comparing import Pair, alike, compare, spell_axes
from pullback.checking.questions import Asking, ask
from pullback.checking.report import Finding
from pullback.checking.space import Leaves, tree_leaves
from pullback.checking.subject import Subject, attempt

_POINTS: Final = 3
_NEAR: Final = 2.0**-6
_SINGLY: Final = "point by point"


def check_batch(subject: Subject) -> Asking[tuple[Finding, ...]]:
    """The value and the first derivative at a small batch of points near by."""
    first: Quantity = "grad" if subject.has_gradient else "jacobian"
    steps = [
        np.stack([np.zeros_like(change), *(_NEAR * part for part in parts)])
        for change, *parts in zip(*_moves(subject), strict=True)
    ]
    findings: tuple[Finding, ...] = ()
    quantities: tuple[tuple[Quantity, int], ...] = (("value", 0), (first, 1))
    for quantity, order in quantities:
        findings += yield from attempt(
            quantity,
            _SINGLY,
            partial(_compare, subject, quantity, order, steps),
            subject.nbytes(order),
        )
    return findings


def _moves(subject: Subject) -> list[Leaves]:
    return [subject.space.random(subject.rng) for _ in range(_POINTS)]


def _compare(
    subject: Subject, quantity: Quantity, order: int, steps: list[Array]
) -> Asking[tuple[Finding, ...]]:
    space = subject.space

    def leaves_of(found: Any) -> Leaves:
        return space.value_leaves(found) if order == 0 else tree_leaves(found)

    batch = leaves_of((yield from ask(quantity, space.moved(subject.point, steps), space.argnums)))
    singles = []
    for number in range(len(batch[0]) if batch else 0):
        arguments = space.moved(subject.point, [step[number] for step in steps])
        singles.append(leaves_of((yield from ask(quantity, arguments, space.argnums))))
    pairs = [
        _pair(subject, leaf, np.stack([single[place] for single in singles]), order, place)
        for place, leaf in enumerate(batch)
    ]
    return (compare(quantity, _SINGLY, pairs, subject.precision.exact),)


def _pair(subject: Subject, batch: Array, singles: Array, order: int, place: int) -> Pair:
    axes = subject.axes(order)[place]
    return alike(batch, singles, subject.precision, lambda index: ("", spell_axes(axes, index[1:])))
