"""The check of a function, put together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pullback.checking import batches, finiteness, first_order, higher_order, transposes
from pullback.checking.precision import precision_of
from pullback.checking.questions import Asking, ask
from pullback.checking.report import Finding, NonFinite, Report, Verdict
from pullback.checking.space import Leaves, Space, widened
from pullback.checking.subject import Subject
from pullback.program.signature import Result, Signature

_VALUE = ("value", "being finite")


@dataclass(frozen=True, slots=True)
class Options:
    """How much is checked.

    Attributes:
        argnums: The arguments that derivatives are taken with respect to; None is all that have one.
        order: The highest order of a derivative.
        elements: Along how many elements of the arguments finite differences are taken.
        seed: For directions and cotangents.
    """

    argnums: tuple[int, ...] | None = None
    order: int = 2
    elements: int = 64
    seed: int = 0


def check(
    name: str, signature: Signature, result: Result, points: Sequence[Leaves], options: Options
) -> Asking[Report]:
    """Checks a function's derivatives at points.

    Args:
        name: The function's name.
        signature: Its signature, in which every size is known.
        result: The signature's result.
        points: For each point the leaves of all arguments.
        options: How much is checked.
    """
    rng = np.random.default_rng(options.seed)
    findings: list[Finding] = []
    non_finite: list[NonFinite] = []
    for number, point in enumerate(points):
        others = [*points[:number], *points[number + 1 :]]
        one = _Point(number, point, others, options, rng)
        found, broken = yield from _check_point(one, signature, result)
        findings += (replace(finding, point=number) for finding in found)
        non_finite += broken
    return Report(name, len(points), tuple(findings), tuple(non_finite))


@dataclass(frozen=True, slots=True)
class _Point:
    number: int
    leaves: Leaves
    others: Sequence[Leaves]
    options: Options
    rng: np.random.Generator


def _check_point(
    one: _Point, signature: Signature, result: Result
) -> Asking[tuple[tuple[Finding, ...], tuple[NonFinite, ...]]]:
    moving = Space(signature, result, _argnums(signature, one.options, whole=False))
    given = finiteness.not_finite("argument", signature.paths, list(map(widened, one.leaves)), one.number)
    broken = tuple(given) + (yield from _broken_value(moving, one))
    if any(each.quantity == "value" for each in broken):
        return (Finding(*_VALUE, Verdict.NON_FINITE, note="nothing else is checked here"),), broken
    subject = _subject(moving, one)
    if not subject.directions or not moving.changing:
        return (), broken
    slopes = yield from first_order.slopes_of_value(subject)
    findings = yield from first_order.check_jvp(subject, slopes)
    findings += yield from transposes.check_vjp(subject, slopes)
    whole = Space(signature, result, _argnums(signature, one.options, whole=True))
    if not whole.moving:
        return findings, broken
    if whole != moving:
        subject = _subject(whole, one)
        slopes = yield from first_order.slopes_of_value(subject)
    findings += yield from first_order.check_gradient(subject, slopes)
    findings += yield from first_order.check_jacobians(subject, slopes)
    findings += yield from batches.check_batch(subject)
    findings += yield from _check_higher(subject, one.options.order)
    broken += yield from finiteness.check_gradient(subject, one.number)
    return findings, broken


def _check_higher(subject: Subject, highest: int) -> Asking[tuple[Finding, ...]]:
    findings: tuple[Finding, ...] = ()
    for order in range(2, highest + 1):
        second = order == 2  # noqa: PLR2004 -- the order whose derivative is the Hessian
        findings += yield from (
            higher_order.check_second_order(subject) if second else higher_order.check_order(subject, order)
        )
    return findings


def _subject(space: Space, one: _Point) -> Subject:
    leaves = [*(space.signature.leaves[i] for i in space.moving), *space.result.leaves]
    directions = space.directions(one.options.elements, one.rng)
    return Subject(space, one.leaves, directions, precision_of(leaves), one.rng)


def _broken_value(space: Space, one: _Point) -> Asking[tuple[NonFinite, ...]]:
    value = space.value_leaves((yield from ask("value", space.arguments(one.leaves))))
    broken = tuple(finiteness.not_finite("value", space.result_paths(), value, one.number))
    if not broken:
        return ()
    good = (*one.others, *finiteness.tame(one.leaves))
    found = yield from finiteness.culprits(space, one.leaves, good)
    return tuple(replace(each, culprits=found) for each in broken)


def _argnums(signature: Signature, options: Options, *, whole: bool) -> tuple[int, ...]:
    """The arguments of which some leaf has a derivative, or, as a whole, of which every leaf has."""
    judge = all if whole else any
    every = range(len(signature.arguments)) if options.argnums is None else options.argnums
    return tuple(
        number
        for number in every
        if signature.arguments[number].leaves
        and judge(leaf.element.differentiable for leaf in signature.arguments[number].leaves)
    )
