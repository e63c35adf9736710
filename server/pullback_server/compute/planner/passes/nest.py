"""How forward and reverse passes stand inside one another. Knows no JAX.

The passes of one function are nested, and what an inner one has found leaves the outer ones as auxiliary
output, so that the function itself is evaluated once. A derivative fits a nest if the modes it is made of
stand in the nest in their order; so the nest is a shortest common supersequence of the modes of all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pullback_server.compute.planner.derivative import Derivative
from pullback_server.model.quantities import Mode

Levels = tuple[tuple[Mode, tuple[Derivative, ...]], ...]
"""The passes, innermost first: the mode of each, and what it finds."""


def nest(derivatives: Sequence[Derivative]) -> Levels:
    """The passes that find derivatives.

    Args:
        derivatives: What is to be found, each behind what it needs; what is not among them is given.
    """
    sequences: dict[Derivative, tuple[Mode, ...]] = {}
    for each in derivatives:
        inner = max((sequences.get(other, ()) for other in each.needs), key=len, default=())
        sequences[each] = (*inner, each.mode)
    modes = supersequence(set(sequences.values()))
    places: dict[Derivative, int] = {}
    for each in derivatives:
        after = max((places[other] + 1 for other in each.needs if other in places), default=0)
        places[each] = modes.index(each.mode, after)
    return tuple(
        (mode, tuple(each for each, place in places.items() if place == level))
        for level, mode in enumerate(modes)
    )


def supersequence(sequences: Iterable[tuple[Mode, ...]]) -> tuple[Mode, ...]:
    """A shortest sequence that has each of `sequences` as a subsequence; reverse mode goes first in a tie.

    Reverse mode directly around the function is what functions have most often: rules of their own for
    reverse mode, and loops that are made reversible.
    """
    waiting = tuple(sorted(sequence for sequence in sequences if sequence))
    reached: list[tuple[tuple[Mode, ...], tuple[tuple[Mode, ...], ...]]] = [((), waiting)]
    seen = {waiting}
    for done, left in reached:
        if not left:
            return done
        for mode in (Mode.REVERSE, Mode.FORWARD):
            rest = tuple(sorted({_advance(sequence, mode) for sequence in left} - {()}))
            if rest not in seen:
                seen.add(rest)
                reached.append(((*done, mode), rest))
    return ()


def _advance(sequence: tuple[Mode, ...], mode: Mode) -> tuple[Mode, ...]:
    return sequence[1:] if sequence[0] is mode else sequence
