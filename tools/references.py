"""Writes the reference pages that are made from the code: `./dev generate`."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

from pullback_server.compute.formats.formula.reference import embed
from pullback_server.compute.formats.onnx.reference import embed as embed_onnx
from pullback_server.configuration.reference import reference
from pullback_server.telemetry.reference import embed as embed_metrics

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"

if __name__ == "__main__":
    (DOCS / "configuration.md").write_text(reference())
    formula = DOCS / "formula.md"
    formula.write_text(embed(formula.read_text()))
    onnx = DOCS / "onnx.md"
    onnx.write_text(embed_onnx(onnx.read_text()))
    observability = DOCS / "observability.md"
    observability.write_text(embed_metrics(observability.read_text()))
    # What the tests cover is the tests' to say.
    sys.path.append(str(ROOT / "tests"))
    (DOCS / "stablehlo-coverage.md").write_text(import_module("conformance.document").document())
