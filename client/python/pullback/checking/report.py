"""What a check found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pullback.graphs.data import Graph, Origin


class Verdict(StrEnum):
    """How a comparison ended."""

    PASSED = "passed"
    """Both agree."""
    KINK = "not differentiable here?"
    """The function has a kink, a jump or an end at this point: the slopes to both sides differ."""
    INCONCLUSIVE = "inconclusive"
    """Finite differences are too inaccurate here to say anything."""
    NON_FINITE = "not finite"
    """The function itself has no finite value here, so there is nothing to compare."""
    SKIPPED = "skipped"
    """It would have been too large."""
    UNAVAILABLE = "unavailable"
    """The function has no such derivative."""
    FAILED = "failed"
    """They disagree, or a derivative is not finite where the function is smooth."""


# A later one outweighs those before.
_WEIGHTS: Final = {
    verdict: weight
    for weight, verdict in enumerate(
        (
            Verdict.UNAVAILABLE,
            Verdict.SKIPPED,
            Verdict.INCONCLUSIVE,
            Verdict.PASSED,
            Verdict.NON_FINITE,
            Verdict.KINK,
            Verdict.FAILED,
        )
    )
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One comparison at one point.

    Attributes:
        derivative: What was checked, such as `grad`.
        against: What it was compared with, such as `finite differences`.
        verdict: How it ended.
        error: The largest relative error.
        tolerance: The largest that would pass.
        argument: Where in the arguments that error is, such as `x[3]`; empty where it has no place.
        result: Where in the result that error is; empty where it has no place.
        note: More for people: why it is unavailable, slopes to both sides of a kink.
        point: The number of the point.
    """

    derivative: str
    against: str
    verdict: Verdict
    error: float = 0.0
    tolerance: float = 0.0
    argument: str = ""
    result: str = ""
    note: str = ""
    point: int = 0

    @property
    def weight(self) -> tuple[int, float]:
        """Larger for what is worse to know."""
        return _WEIGHTS[self.verdict], self.error


@dataclass(frozen=True, slots=True)
class NonFinite:
    """A value that is infinite or no number.

    Attributes:
        quantity: Of what, such as `value` or `grad`; `argument` for what was given.
        where: Its place, such as `x[3]`.
        value: `nan`, `inf` or `-inf`.
        point: The number of the point.
        culprits: The elements of the arguments that bring it about alone at another point, where that was
            found.
    """

    quantity: str
    where: str
    value: str
    point: int
    culprits: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RuleUse:
    """Where derivatives come from.

    Attributes:
        origin: `exported`, `library` or `lifted`.
        name: The composite or the operation.
        operations: How many operations of the function have it.
    """

    origin: Origin
    name: str
    operations: int


@dataclass(frozen=True, slots=True)
class Report:
    """What a check found.

    Attributes:
        function: The function's name.
        points: How many points were checked.
        findings: Every comparison at every point.
        non_finite: What was not finite.
        rules: Where derivatives come from; empty where that could not be found out.
    """

    function: str
    points: int
    findings: tuple[Finding, ...]
    non_finite: tuple[NonFinite, ...] = ()
    rules: tuple[RuleUse, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether nothing failed, and something could be compared if there was anything to compare."""
        verdicts = {finding.verdict for finding in self.findings}
        judged = bool(verdicts & {Verdict.PASSED, Verdict.KINK}) or not self.findings
        return Verdict.FAILED not in verdicts and judged

    @property
    def summary(self) -> tuple[Finding, ...]:
        """The worst finding of each comparison, in the order of the comparisons."""
        worst: dict[tuple[str, str], Finding] = {}
        for finding in self.findings:
            key = finding.derivative, finding.against
            if key not in worst or finding.weight > worst[key].weight:
                worst[key] = finding
        return tuple(worst.values())


def rules_of(graph: Graph) -> tuple[RuleUse, ...]:
    """Where the derivatives of a function come from, by the graph of its value."""
    counts: dict[tuple[Origin, str], int] = {}
    for rule in _rules(graph):
        counts[rule] = counts.get(rule, 0) + 1
    order = list(Origin)
    ranked = sorted(counts.items(), key=lambda item: (order.index(item[0][0]), item[0][1]))
    return tuple(RuleUse(origin, name, count) for (origin, name), count in ranked)


def _rules(graph: Graph) -> Iterable[tuple[Origin, str]]:
    return ((node.rule.origin, node.rule.name) for node in graph.nodes if node.rule is not None)
