"""What reports say."""

from __future__ import annotations

import pytest

from pullback._checks import Dialogue
from pullback._evaluation.wants import Want
from pullback.checking.questions import Asking, Question
from pullback.checking.report import Finding, Report, Verdict, rules_of
from pullback.graphs.data import Cost, Graph, Node, NodeKind, Origin, Region, Rule


def report(*verdicts: Verdict) -> Report:
    """A report of findings on different comparisons."""
    return Report("f", 1, tuple(Finding(f"d{i}", "x", verdict) for i, verdict in enumerate(verdicts)))


@pytest.mark.parametrize(
    ("verdicts", "passed"),
    [
        ((), True),
        ((Verdict.PASSED, Verdict.UNAVAILABLE), True),
        ((Verdict.KINK,), True),
        ((Verdict.PASSED, Verdict.FAILED), False),
        ((Verdict.NON_FINITE,), False),
        ((Verdict.UNAVAILABLE, Verdict.INCONCLUSIVE, Verdict.SKIPPED), False),
    ],
)
def test_passing(verdicts: tuple[Verdict, ...], passed: bool) -> None:
    """Nothing failed, and something could be compared."""
    assert report(*verdicts).passed is passed


def test_the_summary_has_the_worst_of_each() -> None:
    """A failure before a pass, and the larger error among equals."""
    findings = (
        Finding("grad", "x", Verdict.PASSED, 0.1, point=0),
        Finding("grad", "x", Verdict.PASSED, 0.3, point=1),
        Finding("jvp", "x", Verdict.FAILED, 0.2, point=1),
        Finding("jvp", "x", Verdict.PASSED, 0.9, point=2),
    )
    summary = Report("f", 3, findings).summary
    assert [(finding.derivative, finding.point) for finding in summary] == [("grad", 1), ("jvp", 1)]


def test_a_report_comes_at_the_end() -> None:
    """Whoever asks before is told."""

    def asking() -> Asking[Report]:
        yield Question((), (Want("value"),))
        return report()

    dialogue = Dialogue(asking(), {})
    assert dialogue.question is not None
    with pytest.raises(ValueError, match="not at its end"):
        _ = dialogue.report
    dialogue.answer({})
    assert dialogue.question is None
    assert dialogue.report == report()


def test_rules_are_counted() -> None:
    """What the program brought comes first."""
    lifted, exported = Rule(Origin.LIFTED, "sin"), Rule(Origin.EXPORTED, "pullback.custom_jvp")
    nodes = tuple(
        Node(NodeKind.OPERATION, "f", 0, (), rule=rule) for rule in (lifted, None, exported, lifted)
    )
    rules = rules_of(Graph(nodes, (), (Region(None, "main"),), Cost()))
    assert [(rule.origin, rule.operations) for rule in rules] == [(Origin.EXPORTED, 1), (Origin.LIFTED, 2)]
