"""Second and higher derivatives, against finite differences of those one order below."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pullback._evaluation.tensors import Array
from pullback._evaluation.wants import Quantity
from pullback.checking.comparing import Pair, alike, by_direction, compare, in_result
from pullback.checking.differences import Slopes, differentiate
from pullback.checking.products import check_diagonals, check_gauss_newton
from pullback.checking.questions import Asking, ask
from pullback.checking.report import Finding
from pullback.checking.space import Leaves, tree_leaves
from pullback.checking.subject import DIFFERENCES, Subject, against_differences, attempt


def check_second_order(subject: Subject) -> Asking[tuple[Finding, ...]]:
    """`hvp` and `hessian`, the Hessian's symmetry, both against each other, and what is made without it."""
    slopes: list[Slopes] = []
    products: list[Array] = []
    whole: list[Array] = []
    argnums = subject.space.argnums

    def hvp() -> Asking[tuple[Finding, ...]]:
        slopes.extend((yield from _slopes_of_first(subject)))
        found = yield from ask("hvp", subject.arguments, argnums, tangents=subject.tangents)
        products.extend(tree_leaves(found))
        return (against_differences("hvp", subject, products, slopes, 2),)

    def hessian() -> Asking[tuple[Finding, ...]]:
        found = tree_leaves((yield from ask("hessian", subject.arguments, argnums)))
        applied = subject.along(found)
        whole.extend(found)
        findings = [compare("hessian", "its transpose", _transposed(subject, found), subject.precision.exact)]
        if slopes:
            findings.insert(0, against_differences("hessian", subject, applied, slopes, 2))
        if products:
            pairs = _alike(subject, applied, products)
            findings.append(compare("hessian", "hvp", pairs, subject.precision.exact))
        return tuple(findings)

    findings = yield from attempt("hvp", DIFFERENCES, hvp, subject.nbytes(1))
    findings += yield from attempt("hessian", DIFFERENCES, hessian, subject.nbytes(2))
    if whole:
        findings += yield from check_diagonals(subject, tuple(whole))
    return findings + (yield from check_gauss_newton(subject))


def check_order(subject: Subject, order: int) -> Asking[tuple[Finding, ...]]:
    """The derivative of an order from 3."""
    name = f"derivative of order {order}"
    argnums = subject.space.argnums

    def work() -> Asking[tuple[Finding, ...]]:
        found = tree_leaves((yield from ask("derivative", subject.arguments, argnums, order=order)))
        slopes = yield from _slopes(
            subject, lambda arguments: ask("derivative", arguments, argnums, order=order - 1)
        )
        return (against_differences(name, subject, subject.along(found), slopes, order),)

    return (yield from attempt(name, DIFFERENCES, work, subject.nbytes(order)))


def _slopes_of_first(subject: Subject) -> Asking[tuple[Slopes, ...]]:
    argnums = subject.space.argnums
    name: Quantity = "grad" if subject.has_gradient else "jacobian"
    return (yield from _slopes(subject, lambda arguments: ask(name, arguments, argnums)))


def _slopes(
    subject: Subject, evaluate: Callable[[tuple[Any, ...]], Asking[Any]]
) -> Asking[tuple[Slopes, ...]]:
    return (
        yield from differentiate(
            subject.space, subject.point, subject.directions, evaluate, tree_leaves, subject.precision
        )
    )


def _alike(subject: Subject, applied: Sequence[Array], products: Sequence[Array]) -> list[Pair]:
    return [
        alike(one, other, subject.precision, by_direction(subject.directions, axes))
        for one, other, axes in zip(applied, products, subject.axes(1), strict=True)
    ]


def _transposed(subject: Subject, hessian: Leaves) -> list[Pair]:
    """Each block with the one across the diagonal, whose arguments stand the other way round."""
    count, axes = len(subject.space.moving), subject.axes(2)
    pairs = []
    for number, block in enumerate(hessian):
        result, rest = divmod(number, count * count)
        row, column = divmod(rest, count)
        other = hessian[(result * count + column) * count + row]
        (_, outer), (_, first), (_, second) = axes[number]
        order = (*range(outer), *range(outer + second, outer + second + first), *range(outer, outer + second))
        mirrored = np.transpose(other, order)
        pairs.append(alike(block, mirrored, subject.precision, in_result(axes[number])))
    return pairs
