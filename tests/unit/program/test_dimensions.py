"""Sizes as expressions of symbols."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pullback.program.dimensions import SizeError, evaluate, solve, spelled, symbols_in
from pullback.program.errors import MalformedProgramError

sizes = st.integers(0, 50)


@given(sizes, sizes)
def test_values(n: int, m: int) -> None:
    """Every operation that JAX prints, with Python's values."""
    expression = spelled("2*n^2 - m + floordiv(n, 3) * mod(m, 4) + max(n, 2) - min(m, floordiv(7, 2))")
    expected = 2 * n**2 - m + n // 3 * (m % 4) + max(n, 2) - min(m, 3)
    assert evaluate(expression, {"n": n, "m": m}) == expected
    assert symbols_in(expression) == ("m", "n")


@given(sizes, sizes, st.sampled_from(["n", "n+1", "2*n-1", "3*(n-m)+m", "m*n+4", "-n", "n+mod(m,3)"]))
def test_one_unknown_is_found(n: int, m: int, expression: str) -> None:
    """A linear expression of one unknown gives it back, whatever is known beside it."""
    value = evaluate(expression, {"n": n, "m": m})
    found = solve(expression, value, {"m": m})
    if expression == "m*n+4" and m == 0:
        assert found is None
    else:
        assert found == ("n", n)


@pytest.mark.parametrize(
    ("expression", "value"), [("n*n", 4), ("2*n", 7), ("n+m", 3), ("floordiv(n,2)", 2), ("max(n,5)", 5)]
)
def test_what_has_no_single_solution_is_not_guessed(expression: str, value: int) -> None:
    """Squares, odd halves, two unknowns, divisions and maxima are left for other arguments to decide."""
    assert solve(expression, value, {}) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "3",
        "-1",
        "n m",
        "n/2",
        "n.x",
        "n[0]",
        "n^99",
        "1.5*n",
        "f(n)",
        "max(n)",
        "max(n,m,2)",
        "lambda:n",
        "n if n else n",
        "__import__('os')",
        "n==2",
        "(n",
        "n" * 201,
        "ñ",
    ],
)
def test_other_texts_are_refused(text: str) -> None:
    """What is no expression of symbols is refused before it means anything."""
    with pytest.raises(MalformedProgramError, match="is no size"):
        spelled(text)


def test_there_is_one_spelling() -> None:
    """Spaces and the two signs for powers make no difference."""
    assert spelled(" 2 * n ** 2 + floordiv( m , 2 )") == "2*n^2+floordiv(m,2)"


@pytest.mark.parametrize(("expression", "n"), [("floordiv(4,n)", 0), ("mod(n,n)", 0), ("n^8", 2**40)])
def test_expressions_without_a_value(expression: str, n: int) -> None:
    """Divisions by zero, and numbers beyond 64 bits, which would grow without bound."""
    with pytest.raises(SizeError):
        evaluate(expression, {"n": n})
