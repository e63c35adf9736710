"""Arithmetic on numbers that the text fixes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

CASES = {
    "2**10": 1024,
    "2**-1": 0.5,
    "-2**2": -4,
    "7 // -2": -4,
    "7 % -2": -1,
    "7 / 2": 3.5,
    "1.5 * 2": 3.0,
    "2j * 2j": -4 + 0j,
    "(-8 + 0j)**2": 64 + 0j,
    "2**63 - 2**63": 0,
    "0**0": 1,
    "1**10**18": 1,
    "(-1)**10**18": 1,
    "True + True": 2,
    "~True": False,
    "~5": -6,
    "not 0.5": False,
    "0 or 2": True,
    "1 and 0": False,
    "5 & 6 | 8": 12,
    "3 > 2": True,
    "1 == 1.0": True,
    "+-3": -3,
    "inf - 1": np.inf,
    "e": np.e,
    "pi = 3; pi": 3,
    "1e-400": 0.0,
}


@pytest.mark.parametrize(("source", "expected"), CASES.items())
def test_numbers(source: str, expected: Any, formula: Any) -> None:
    """Numbers compute as Python's do, and conditions stay conditions."""
    actual = formula(source)()
    assert actual.dtype == np.asarray(expected).dtype
    assert actual == expected


def test_arguments_come_before_constants(formula: Any) -> None:
    """An argument may be called as a constant or as a function."""
    assert formula("e + sum * pi + sum([1, 2])", e="f64[]", sum="f64[]", pi="f64[]")(1.0, 2.0, 3.0) == 10
