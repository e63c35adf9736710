"""A short run of mutated programs."""

from __future__ import annotations

from pathlib import Path

from fuzz.programs import FLAGS, fuzz_programs, program
from fuzz.serving import serving

SEED, CASES = 6, range(80)


def test_cases_are_the_same_again() -> None:
    """A program is made by its seed and number alone, and all kinds come."""
    assert program(3, 17) == program(3, 17)
    assert len({program(3, number).kind for number in range(60)}) == 7


def test_mutated_programs(tmp_path: Path) -> None:
    """Whatever a program is, its answer has a reason, and others get their numbers meanwhile."""
    with serving(tmp_path, *FLAGS) as server:
        report = fuzz_programs(server, SEED, CASES, lambda _: None)
    assert report.sound, str(report)
    assert report.cases >= len(CASES)
    assert {"OK", "MALFORMED_PROGRAM", "FORMULA_ERROR"} <= set(report.answers), str(report)
