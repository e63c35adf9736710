"""A short run of mutated messages, and every case of one that was ever found."""

from __future__ import annotations

from pathlib import Path

from fuzz.messages import FLAGS, Messages, fuzz_messages
from fuzz.seeds.messages import methods, seeds
from fuzz.serving import serving

SEED, CASES = 20, 4000


def test_every_method_has_a_seed() -> None:
    """No method of the server is left out, whoever adds one."""
    assert {case.path for case in seeds()} == set(methods())


def test_cases_are_the_same_again() -> None:
    """A case is made by its seed and number alone, and its neighbours are others."""
    assert Messages(3).case(17) == Messages(3).case(17)
    # Some messages are empty, and stay so.
    assert len({Messages(3).case(number) for number in range(50)}) > 40


def test_mutated_messages(tmp_path: Path) -> None:
    """Whatever a message is, its answer has a reason, and others get their numbers meanwhile."""
    with serving(tmp_path, *FLAGS) as server:
        report = fuzz_messages(server, SEED, range(CASES), lambda _: None)
    assert report.sound, str(report)
    assert report.cases >= CASES
    assert len(report.answers) > 10, str(report)
