"""First derivatives: against finite differences, and forward against reverse."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Literal

from pullback.checking.comparing import Pair, alike, compare, in_result
from pullback.checking.differences import Slopes, differentiate
from pullback.checking.questions import Asking, ask
from pullback.checking.report import Finding
from pullback.checking.space import Leaves, tree_leaves
from pullback.checking.subject import DIFFERENCES, Subject, against_differences, attempt

Jacobian = Literal["jacfwd", "jacrev"]


def slopes_of_value(subject: Subject) -> Asking[tuple[Slopes, ...]]:
    """How the result changes along each direction, by finite differences."""
    space = subject.space
    return (
        yield from differentiate(
            space,
            subject.point,
            subject.directions,
            lambda arguments: ask("value", arguments),
            space.value_leaves,
            subject.precision,
        )
    )


def check_jvp(subject: Subject, slopes: Sequence[Slopes]) -> Asking[tuple[Finding, ...]]:
    """`jvp` along each direction."""

    def work() -> Asking[tuple[Finding, ...]]:
        argnums = subject.space.argnums
        found = yield from ask("jvp", subject.arguments, argnums, tangents=subject.tangents)
        return (against_differences("jvp", subject, tree_leaves(found), slopes, 1),)

    return (yield from attempt("jvp", DIFFERENCES, work))


def check_gradient(subject: Subject, slopes: Sequence[Slopes]) -> Asking[tuple[Finding, ...]]:
    """`grad`, of a function whose result is one real scalar."""

    def work() -> Asking[tuple[Finding, ...]]:
        found = tree_leaves((yield from ask("grad", subject.arguments, subject.space.argnums)))
        return (against_differences("grad", subject, subject.along(found), slopes, 1),)

    if not subject.has_gradient:
        return ()
    return (yield from attempt("grad", DIFFERENCES, work))


def check_jacobians(subject: Subject, slopes: Sequence[Slopes]) -> Asking[tuple[Finding, ...]]:
    """`jacfwd` and `jacrev`, and both against each other."""
    found: dict[Jacobian, Leaves] = {}

    def work(name: Jacobian) -> Asking[tuple[Finding, ...]]:
        found[name] = tree_leaves((yield from ask(name, subject.arguments, subject.space.argnums)))
        return (against_differences(name, subject, subject.along(found[name]), slopes, 1),)

    findings: tuple[Finding, ...] = ()
    names: tuple[Jacobian, ...] = ("jacfwd", "jacrev")
    for name in names:
        findings += yield from attempt(name, DIFFERENCES, partial(work, name), subject.nbytes(1))
    if len(found) == len(names):
        pairs = _forward_and_reverse(subject, found["jacfwd"], found["jacrev"])
        findings += (compare("jacfwd", "jacrev", pairs, subject.precision.exact),)
    return findings


def _forward_and_reverse(subject: Subject, forward: Leaves, reverse: Leaves) -> list[Pair]:
    pairs = zip(subject.axes(1), forward, reverse, strict=True)
    return [alike(one, other, subject.precision, in_result(axes)) for axes, one, other in pairs]
