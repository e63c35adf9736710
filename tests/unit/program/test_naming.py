"""How functions and tenants may be called."""

from __future__ import annotations

import pytest

from pullback.program.naming import is_name


@pytest.mark.parametrize("text", ["f", "0", "a.b_c-D9", "x" * 128])
def test_names(text: str) -> None:
    """Letters, digits and three signs, of which none is first, up to 128."""
    assert is_name(text)


@pytest.mark.parametrize("text", ["", ".f", "-f", "f/g", "f ", "f\n", "ä", "٣", "x" * 129])
def test_no_names(text: str) -> None:
    """Neither what could lead out of a folder, nor what looks like another name."""
    assert not is_name(text)
