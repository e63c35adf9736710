"""Writes the reference pages that are made from the code: `./dev generate`."""

from __future__ import annotations

from pathlib import Path

from pullback_server.configuration.reference import reference

ROOT = Path(__file__).resolve().parent.parent

if __name__ == "__main__":
    (ROOT / "docs" / "configuration.md").write_text(reference())
