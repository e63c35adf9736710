"""Checks: where a function is checked, and how its questions become evaluations; without I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from pullback._descriptions import FunctionDetails
from pullback._evaluation.inputs import Inputs, collect
from pullback._evaluation.results import require_result
from pullback._evaluation.tensors import Array
from pullback._evaluation.wants import Argnums, resolve_argnums
from pullback.checking.checker import Options, check
from pullback.checking.points import draw
from pullback.checking.questions import Answer, Asking, Question
from pullback.checking.report import Report
from pullback.checking.space import Leaves
from pullback.errors import PullbackError, invalid_argument
from pullback.program.signature import Signature
from pullback.program.sizes import bind_sizes

Bounds = tuple[float, float]


def start_check(
    details: FunctionDetails,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    *,
    argnums: Argnums | None,
    order: int,
    points: int,
    uniform: Bounds | None,
    sizes: Mapping[str, int] | None,
    elements: int,
    seed: int,
) -> Dialogue:
    """Starts the check of a function.

    Args:
        details: The function.
        args: Where, by position; where to check is drawn if there are no arguments at all.
        kwargs: Where, by name.
        argnums: The arguments to differentiate with respect to; None is all that can be.
        order: The highest order.
        points: How many points to draw.
        uniform: The bounds to draw between; None draws normally distributed numbers.
        sizes: For points that are drawn: the sizes of the signature's symbols.
        elements: Along how many elements finite differences are taken.
        seed: For what is drawn.

    Raises:
        InvalidArgumentError: If arguments, argnums or sizes do not fit, or a number is out of range.
    """
    for name, value in (("order", order), ("points", points), ("elements", elements)):
        if value < 1:
            raise invalid_argument("MALFORMED_REQUEST", f"{name}={value} must be 1 or more")
    signature = details.signature
    numbers = None if argnums is None else resolve_argnums("grad", argnums, signature)[0]
    if args or kwargs:
        chosen, known = _given(signature, args, kwargs)
    else:
        known = _known(signature, sizes or {})
        chosen = draw(signature.at(known), points, seed, uniform)
    signature = signature.at(known)
    options = Options(numbers, order, elements, seed)
    return Dialogue(check(details.name, signature, require_result(signature), chosen, options), known)


def _known(signature: Signature, sizes: Mapping[str, int]) -> Mapping[str, int]:
    missing = [symbol for symbol in signature.symbols if symbol not in sizes]
    if missing:
        raise invalid_argument(
            "MALFORMED_REQUEST",
            f"the signature has sizes that are not known ({', '.join(missing)}); give sizes=, or points",
        )
    return {symbol: sizes[symbol] for symbol in signature.symbols}


def _given(
    signature: Signature, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> tuple[tuple[Leaves, ...], Mapping[str, int]]:
    """The points that a user gave, one or those of a batch, and the sizes of symbols there."""
    collected = collect(signature, (), Inputs(args, kwargs))
    arrays = [given.array for given in collected.arguments]
    sizes = bind_sizes(signature, [array.shape for array in arrays])
    if collected.points is None:
        return (tuple(arrays),), sizes
    pairs = list(zip(arrays, signature.leaves, strict=True))
    return tuple(
        tuple(_point(array, number, batched=array.ndim > len(leaf.shape)) for array, leaf in pairs)
        for number in range(collected.points)
    ), sizes


def _point(array: Array, number: int, *, batched: bool) -> Array:
    return np.asarray(array[number]) if batched else array


class Dialogue:
    """A check under way: gives questions, is told their answers, and has the report at the end.

    Args:
        asking: The check.
        sizes: The sizes of the signature's symbols where it is checked.
    """

    def __init__(self, asking: Asking[Report], sizes: Mapping[str, int]) -> None:
        self.sizes = sizes
        self._asking = asking
        self._report: Report | None = None
        self.question: Question | None = None
        self._go_on(lambda: next(asking))

    @property
    def report(self) -> Report:
        """The report, once there are no more questions.

        Raises:
            ValueError: If there are.
        """
        if self._report is None:
            raise ValueError("the check is not at its end; answer its question first")
        return self._report

    def answer(self, answer: Answer | PullbackError) -> None:
        """Goes on with the answer to the question, or with what its evaluation failed with.

        Raises:
            PullbackError: The same, if the check has no use for it.
        """
        if isinstance(answer, PullbackError):
            self._go_on(lambda: self._asking.throw(answer))
        else:
            self._go_on(lambda: self._asking.send(answer))

    def _go_on(self, step: Callable[[], Question]) -> None:
        try:
            self.question = step()
        except StopIteration as finished:
            self.question, self._report = None, finished.value
