"""No operation of StableHLO or CHLO is left out of the lifter's tables, its tests or its document."""

from __future__ import annotations

from pathlib import Path

from conformance.document import cases_of, dialects, document, served

from pullback_server.compute.formats.stablehlo.coverage import REFUSED

_DOCUMENT = Path(__file__).parents[2] / "docs" / "stablehlo-coverage.md"


def test_every_operation_is_served_or_refused() -> None:
    """Of those that the installed JAX knows."""
    assert dialects() - served() - set(REFUSED) == set()


def test_nothing_is_both_served_and_refused() -> None:
    """What is refused has no builder."""
    assert served() & set(REFUSED) == set()


def test_every_served_operation_has_a_test() -> None:
    """A case of its own."""
    assert {operation for operation in served() if not cases_of(operation)} == set()


def test_document_is_up_to_date() -> None:
    """`./dev generate` writes it."""
    assert _DOCUMENT.read_text() == document()
