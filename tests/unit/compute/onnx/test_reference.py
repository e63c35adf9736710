"""The reference page and the tables that it is made from."""

from __future__ import annotations

from pathlib import Path

import pytest

from pullback_server.compute.formats.onnx.reference import BEGIN, END, embed

PAGE = Path(__file__).parents[4] / "docs" / "onnx.md"


def test_page_is_up_to_date() -> None:
    """docs/onnx.md says what the tables say; `./dev generate` brings it up to date."""
    page = PAGE.read_text(encoding="utf-8")
    assert embed(page) == page


def test_page_without_marks() -> None:
    """A page without marks is refused, not overwritten."""
    with pytest.raises(ValueError, match="the page has no"):
        embed(f"{END} text {BEGIN}")
