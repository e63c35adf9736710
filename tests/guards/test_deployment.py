"""What deploys a server gives it the time that it takes to stop."""

from __future__ import annotations

import re
from pathlib import Path

from pullback_server.configuration.settings import Settings

ROOT = Path(__file__).parents[2]
ENDING_SECONDS = 5
"""What workers may take to end, after the grace."""


def number(pattern: str, text: str) -> float:
    """The number that a pattern finds, once."""
    (found,) = re.findall(pattern, text)
    return float(found)


def test_kubernetes() -> None:
    """The pod is killed later than a server has paused, given its grace, and ended its workers."""
    text = (ROOT / "deploy" / "kubernetes" / "pullback.yaml").read_text()
    pause = number(r'PULLBACK_DRAIN_SECONDS, value: "(\d+)"', text)
    grace = number(r'PULLBACK_GRACE_SECONDS, value: "(\d+)"', text)
    assert number(r"terminationGracePeriodSeconds: (\d+)", text) >= pause + grace + ENDING_SECONDS


def test_environment() -> None:
    """What the manifest sets in the environment is a setting each."""
    text = (ROOT / "deploy" / "kubernetes" / "pullback.yaml").read_text()
    named = set(re.findall(r"name: PULLBACK_(\w+)", text))
    assert named
    assert {name.lower() for name in named} <= set(Settings.model_fields)


def test_compose() -> None:
    """So is the container, with the settings that there are by default."""
    text = (ROOT / "docker-compose.yml").read_text()
    pause, grace = (Settings.model_fields[name].default for name in ("drain_seconds", "grace_seconds"))
    assert number(r"stop_grace_period: (\d+)s", text) >= pause + grace + ENDING_SECONDS
