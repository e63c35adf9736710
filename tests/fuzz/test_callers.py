"""A short run of mutated messages under tokens of several tenants and roles, sound and garbled."""

from __future__ import annotations

from pathlib import Path

from fuzz.callers import flags, fuzz_callers, shown
from fuzz.serving import serving

SEED, CASES = 21, 2000


def test_what_is_shown_is_the_same_again() -> None:
    """It is made by seed and number alone, and most callers show what is sound."""
    all_shown = [shown(3, number) for number in range(200)]
    assert all_shown == [shown(3, number) for number in range(200)]
    assert 6 < len(set(all_shown)) < 100


def test_mutated_messages_of_tenants(tmp_path: Path) -> None:
    """Whoever sends whatever gets a reason, and another tenant gets its numbers meanwhile."""
    with serving(tmp_path, *flags(tmp_path)) as server:
        report = fuzz_callers(server, SEED, range(CASES), lambda _: None)
    assert report.sound, str(report)
    assert report.cases >= CASES
    assert {"UNAUTHENTICATED", "PERMISSION_DENIED", "MALFORMED_REQUEST", "OK"} <= report.answers.keys()
