"""Writes the reference pages that are made from the code: `./dev generate`."""

from __future__ import annotations

from pathlib import Path

from pullback_server.compute.formats.formula.reference import embed
from pullback_server.configuration.reference import reference

DOCS = Path(__file__).resolve().parent.parent / "docs"

if __name__ == "__main__":
    (DOCS / "configuration.md").write_text(reference())
    formula = DOCS / "formula.md"
    formula.write_text(embed(formula.read_text()))
