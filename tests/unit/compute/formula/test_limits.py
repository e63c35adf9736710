"""Limits: a formula is refused before anything of its size is built."""

from __future__ import annotations

import time
import tracemalloc
from typing import Any

import pytest

from pullback_server.compute.formats.bounds import BOUNDS
from pullback_server.compute.formats.formula.limits import (
    MAX_CHARACTERS,
    MAX_ELEMENTS,
    MAX_TOKENS,
)
from pullback_server.errors import Reason

TOO_LARGE = [
    "eye(10**12)",
    "eye(10**9, 10**9)",
    "eye(2**20, 2**20)[0, 0] * x",
    "zeros(10**12)",
    "ones((10**6, 10**6))",
    "full((2**14, 2**14), x[0])",
    "arange(10**9)",
    "arange(0, 1, 1e-30)",
    "arange(0, 10**18, 1)",
    "linspace(0, 1, 10**9)",
    "linspace(zeros(10**5), 1, 10**5)",
    "broadcast_to(x, (10**9, 8))",
    "diag(x, 10**5)",
    "x[:, newaxis] * zeros(2**25)",
    "outer(zeros(10**5), zeros(10**5))",
    "kron(zeros((10**4, 10)), zeros((10**4, 10)))",
    'einsum("i,j->ij", zeros(10**5), zeros(10**5))',
    'einsum("ab,ac,ad,bc,bd,cd->", eye(2000), eye(2000), eye(2000), eye(2000), eye(2000), eye(2000))',
    "a = [x, x]; " + "a = [a, a]; " * 40 + "sum(a)",
    "a = x; " + "a = outer(a, a); " * 40 + "sum(a)",
    "concatenate([zeros(2**26), zeros(2**26), x])",
    "x[zeros(2**28) > 0]",
    "x" + "[newaxis]" * 33,
    "[" * 33 + "1" + "]" * 33,
    "zeros((" + "1, " * 33 + "))",
    "x[" + "newaxis, " * 1000 + "]",
]


@pytest.mark.parametrize("source", TOO_LARGE)
def test_too_large(source: str, refusal: Any) -> None:
    """Arrays beyond the limit are refused at once and without their memory."""
    tracemalloc.start()
    try:
        error = refusal(source, x="f64[8]")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert "limit is" in error.message or "is too large here" in error.message
    assert peak < 2**26


def test_as_large_as_the_largest_argument(formula: Any, refusal: Any) -> None:
    """A formula may build what is as large as an argument, whatever the limit."""
    huge = f"f32[{MAX_ELEMENTS + 1}]"
    formula("sum(x * 2 - zeros(1))", x=huge)
    assert "limit is" in refusal("concatenate([x, [1]])", x=huge).message


@pytest.mark.parametrize(
    "source",
    [
        "(" * (BOUNDS.nesting + 1) + "x" + ")" * (BOUNDS.nesting + 1),
        "(" * 20_000 + "x" + ")" * 20_000,
        "-" * 10_000 + "x",
        "not " * 10_000 + "x",
        "x" + "**x" * 7_000,
        "sin(" * 5_000 + "x" + ")" * 5_000,
        "x[" * 5_000 + "0" + "]" * 5_000,
        "[" * 8_000 + "]" * 8_000,
        "x + " * MAX_TOKENS + "x",
        " " * MAX_CHARACTERS + "x",
        "\n" * 60_000 + "y",
        "9" * 60_000,
        "1e" + "9" * 60_000,
        "x**" + "9" * 19 + "**" + "9" * 19,
        '"' * 60_000,
        "a" * 60_000,
    ],
)
def test_hostile_text(source: str, refusal: Any) -> None:
    """Text that is deep, long or huge in any other way is refused quickly."""
    started = time.monotonic()
    refusal(source, x="f64[8]")
    assert time.monotonic() - started < 10


@pytest.mark.parametrize(
    "source",
    [
        "(" * (BOUNDS.nesting - 1) + "x" + ")" * (BOUNDS.nesting - 1),
        "minimum(x, b=" * (BOUNDS.nesting - 1) + "x" + ")" * (BOUNDS.nesting - 1),
        "x" + "[...]" * 2_000,
        "x" + ".T" * 4_000,
        " + ".join(["x"] * 4_000),
        "; ".join(["x = x + 1"] * 1_500),
        f"sum([{', '.join(['1.5'] * 8_000)}]) * x",
    ],
)
def test_large_formulas_within_the_limits(source: str, formula: Any) -> None:
    """Long formulas need no deep stack; nesting up to the limit fits Python's."""
    formula(source, x="f64[8]")


@pytest.mark.parametrize(
    ("source", "reason", "value", "limit"),
    [
        ("(" * 65 + "x" + ")" * 65, Reason.NESTING_TOO_DEEP, 65, 64),
        (" " * MAX_CHARACTERS + "x", Reason.PROGRAM_TOO_LARGE, MAX_CHARACTERS + 1, MAX_CHARACTERS),
        ("x+" * MAX_TOKENS + "x", Reason.TOO_MANY_OPERATIONS, 2 * MAX_TOKENS + 2, MAX_TOKENS),
    ],
)
def test_each_limit_has_its_reason(source: str, reason: Reason, value: int, limit: int, refusal: Any) -> None:
    """What is over a limit is told with the reason, the value and the limit, in words and for programs."""
    error = refusal(source, x="f64[8]")
    assert (error.reason, error.metadata["value"], error.metadata["limit"]) == (
        reason,
        str(value),
        str(limit),
    )
    assert f"{value} " in error.message
    assert f"is {limit}" in error.message


def test_settings_of_limits(refusal: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server's settings are named, with what they are."""
    monkeypatch.setattr(BOUNDS, "operations", 3)
    error = refusal("x + x * x", x="f64[8]")
    assert error.reason is Reason.TOO_MANY_OPERATIONS
    assert "the server's limit (max_operations) is 3" in error.message
    monkeypatch.setattr(BOUNDS, "nesting", 2)
    error = refusal("-(-(-x))", x="f64[8]")
    assert "the server's limit (max_nesting) is 2" in error.message
