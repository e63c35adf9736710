"""The changelog knows the version."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_version_has_an_entry() -> None:
    """The newest entry of the changelog is the version of the project."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    newest = next(
        line for line in (ROOT / "CHANGELOG.md").read_text().splitlines() if line.startswith("## [")
    )
    assert newest.startswith(f"## [{version}]")
