"""What is said of a formula with an error: where, what, and what to do."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pullback_server.errors import ServiceError

Refusal = Callable[..., ServiceError]
TYPES = {
    "x": "f64[8]",
    "y": "f64[7]",
    "A": "f64[2,3]",
    "n": "i32[]",
    "m": "i1[8]",
    "t": "c128[8]",
    "u": "ui8[2]",
}

CASES = [
    # syntax
    ("", 1, 1, "the formula is empty"),
    ("\n# only a comment\n", 1, 1, "the formula is empty"),
    ("x +", 1, 4, "the formula ends where a value is due"),
    ("a = x +\n1", 1, 8, "Put brackets around"),
    ("x y", 1, 3, "y stands where an operator or the end of the statement is due"),
    ("x; ; x **", 1, 10, "ends where a value is due"),
    ("2x", 1, 2, "a number runs into a name"),
    ("1_000", 1, 2, "a number runs into a name"),
    ("x ^ 2", 1, 3, "Write ** for a power"),
    ("x && x", 1, 3, "Write & or and"),
    ("!x", 1, 1, "Write not or ~"),
    ("x if n else y", 1, 3, "where(condition, a, b)"),
    ("[x for x in y]", 1, 4, "no loops"),
    ("return x", 1, 1, "The last statement is the result"),
    ("lambda x: x", 1, 1, "docs/formula.md"),
    ("x += 1", 1, 3, "Write the assignment in full"),
    ("x[0] = 1", 1, 6, "an assignment is a statement of its own"),
    ("f(x) = 1", 1, 6, "an assignment is a statement of its own"),
    ("True = 1", 1, 1, "cannot be assigned to"),
    ("lambda = 1", 1, 1, "cannot be assigned to"),
    ("0 < x < 1", 1, 7, "(a < b) & (b < c)"),
    ("x > 0 & x < 1", 1, 11, "comparisons cannot be chained"),
    ("x == not x", 1, 6, "Put brackets around it"),
    ("x[]", 1, 2, "the index is empty"),
    ("x[1:2:3:4]", 1, 8, "stands where"),
    ("f(a=1, x)", 1, 3, "follows a named one"),
    ("x(2)", 1, 1, "x is no function"),
    ("(x)(2)", 1, 4, "only a function can be called"),
    ("x.sum()", 1, 3, "sum(...)"),
    ("np.exp(x)", 1, 4, "exp(...)"),
    ("x.real", 1, 3, "real(x)"),
    ("x.__class__", 1, 3, "there is no attribute __class__"),
    ("x.2", 1, 2, "stands where"),
    ("{x}", 1, 1, "Write [ ] for an array"),
    ("x\n  ...", 2, 3, "An ellipsis stands only in an index"),
    # names and calls
    ("a = x\nsum(a * z)", 2, 9, "The names so far: A, a, m, n, t, u, x, y"),
    ("velocity = x; velocty", 1, 15, "Did you mean velocity?"),
    ("sin", 1, 1, "sin is a function"),
    ("summ(x)", 1, 1, "Did you mean sum?"),
    ("ln(x)", 1, 1, "log(x)"),
    ("__import__('os')", 1, 1, "there is no function __import__"),
    ("sin()", 1, 1, "sin lacks the argument x"),
    ("sin(x, x)", 1, 1, "sin takes 1 argument by position, not 2"),
    ("max(x, 0)", 1, 1, "maximum(a, b)"),
    ("sum(x, axs=0)", 1, 1, "Did you mean axis?"),
    ("sum(x, x=1)", 1, 1, "sum is given x twice"),
    ("sum(x, axis=0, axis=0)", 1, 16, "axis is given twice"),
    ("sum(x, axis=n)", 1, 1, "axis: i32[] stands where an axis or a tuple of axes is due"),
    ("sum(x, axis=1.0)", 1, 1, "axis: 1.0 stands where"),
    ("sum(x, keepdims=1)", 1, 1, "keepdims: 1 stands where True or False is due"),
    ("eye(n)", 1, 1, "n: i32[] stands where an integer is due"),
    ("zeros(-1)", 1, 1, "negative size"),
    ("zeros((2, -1))", 1, 1, "negative size"),
    ("eye(2, -1)", 1, 1, "negative size"),
    ("linspace(0, 1, -2)", 1, 1, "-2 points"),
    ("arange(0, 1, 0)", 1, 1, "step of arange is 0"),
    ("arange(inf)", 1, 1, "a finite real number is due"),
    ("round(x, 10**9)", 1, 1, "1000000000 decimals are too many"),
    ("einsum(x, x)", 1, 1, "a text in quotation marks is due"),
    ('einsum("i;j", x, y)', 1, 1, "subscripts of einsum are malformed"),
    ("concatenate(x)", 1, 1, "Write the list here"),
    ("stack([])", 1, 1, "a list of arrays is due"),
    ("len(pi)", 1, 1, "Write size(x)"),
    # shapes
    ("x - y", 1, 3, "- does not take f64[8] and f64[7]: the shapes do not broadcast"),
    ("x + 1 + y", 1, 7, "+ does not take f64[8] and f64[7]"),
    ("(x and y) + 1", 1, 4, "and does not take f64[8] and f64[7]"),
    ("A @ x", 1, 3, "@ does not take f64[2,3] and f64[8]"),
    ("2 @ 3", 1, 3, "@ does not take 2 and 3"),
    ("1 + dot(A, x)", 1, 5, "dot does not take f64[2,3] and f64[8]"),
    ("minimum(x, y)", 1, 1, "minimum does not take f64[8] and f64[7]"),
    ("reshape(x, (3, 3))", 1, 1, "reshape does not take f64[8] and (3, 3)"),
    ("sum(x, axis=1)", 1, 1, "sum does not take f64[8]"),
    ("det(A)", 1, 1, "det does not take f64[2,3]"),
    ("concatenate([x, A])", 1, 1, "concatenate does not take"),
    ("min(x[:0])", 1, 1, "min does not take f64[0]"),
    ("[x, y] + 1", 1, 8, "different shapes: f64[8] and f64[7]"),
    ("[[1, 2], [3]]", 1, 1, "different shapes"),
    # indices
    ("x[8]", 1, 2, "index 8 is out of range for axis 0 of size 8"),
    ("A[..., -4]", 1, 2, "index -4 is out of range for axis 1 of size 3"),
    ("x[:0][0]", 1, 6, "There is nothing to index"),
    ("x[0, 0]", 1, 2, "2 indices are given for an array of 1 axes"),
    ("x[..., ...]", 1, 2, "more than one ellipsis"),
    ("x[m]", 1, 2, "where(condition, x, 0)"),
    ("x[True]", 1, 2, "True is no index"),
    ("x[0.5]", 1, 2, "0.5 is no index"),
    ("x[y]", 1, 2, "f64[7] is no index"),
    ("x['a']", 1, 2, "the text 'a' is no index"),
    ("x[n:]", 1, 4, "the start of a slice is i32[]"),
    ("x[::0]", 1, 3, "the step of a slice is 0"),
    ("x.shape[1]", 1, 8, "out of range for a tuple of 1"),
    ("x.shape[0, 0]", 1, 8, "one integer or slice"),
    ("pi[0]", 1, 3, "has no axes"),
    # types
    ("~x", 1, 1, "~ does not take f64[8]"),
    ("x & m", 1, 3, "& does not take f64[8] and i1[8]"),
    ("-m", 1, 1, "- does not take i1[8]"),
    ("m - m", 1, 3, "- does not take i1[8] and i1[8]"),
    ("t % 2", 1, 3, "% does not take c128[8] and 2"),
    ("floor(t)", 1, 1, "floor does not take c128[8]"),
    ("n + 2**40", 1, 3, "1099511627776 is out of the range of i32"),
    ("-1 < u", 1, 4, "-1 is out of the range of ui8"),
    ("minimum(n, 2**31)", 1, 1, "Use -2147483648 to 2147483647"),
    ("'a' + x", 1, 5, "the text 'a' stands where an array is due"),
    ("None * 2", 1, 6, "None stands where an array is due"),
    ("(1, 2) + x", 1, 8, "Write square brackets"),
    ("x, y", 1, 2, "stands where"),
    ("(x, y)", 1, 1, "a tuple of 2 stands where an array is due"),
    ("slogdet(eye(2))", 1, 1, "a tuple of 2 stands where an array is due"),
    ("a = ((1, 2), 3)", 1, 1, "cannot be assigned"),
    ("'text'", 1, 1, "the text 'text' stands where an array is due"),
    # numbers
    ("1 / 0", 1, 3, "this divides by zero"),
    ("9**9**9", 1, 2, "more than 64 bits"),
    ("2**64", 1, 2, "more than 64 bits"),
    ("99999999999999999999", 1, 1, "more than 64 bits"),
    ("18446744073709551615", 1, 1, "beyond i64"),
    ("[18446744073709551615, n]", 1, 1, "beyond i64"),
    ("1e999", 1, 1, "too large for f64"),
    ("10.0**400", 1, 5, "too large for f64"),
    ("(-8)**(1/3)", 1, 5, "is complex"),
    ("1j < 2", 1, 4, "no order"),
    ("1.5 & 2", 1, 5, "no meaning for 1.5 and 2"),
]


@pytest.mark.parametrize(("source", "line", "column", "says"), CASES, ids=[repr(case[0]) for case in CASES])
def test_error(source: str, line: int, column: int, says: str, refusal: Refusal) -> None:
    """The error stands at its line and column, says what is wrong, and gives advice."""
    error = refusal(source, **TYPES)
    assert (error.metadata["line"], error.metadata["column"]) == (str(line), str(column))
    assert says in error.message
    head, shown, caret, *advice = error.message.split("\n")
    assert head.startswith(f"line {line}, column {column}: ")
    assert caret.strip() == "^"
    assert shown.strip() == source.split("\n")[line - 1].strip()
    assert len(caret) == len("    ") + column
    assert advice


def test_long_lines_are_cut(refusal: Refusal) -> None:
    """Of a long line only the surroundings are shown, the caret still under the place."""
    error = refusal(f"{'x + ' * 1000}zz + {'x + ' * 1000}x", x="f64[8]")
    _, shown, caret, _ = error.message.split("\n")
    assert error.metadata["column"] == "4001"
    assert shown[len(caret) - 1 :].startswith("zz + x")
    assert len(shown) < 120


def test_long_names_are_cut(refusal: Refusal) -> None:
    """A message stays short whatever it quotes, since it travels in a header."""
    assert len(refusal("a" * 60_000, x="f64[8]").message) < 1000


def test_control_characters_are_not_shown(refusal: Refusal) -> None:
    """A message has no character that a terminal would obey."""
    error = refusal("x + '\x1b[2J' + \ud800", x="f64[8]")
    assert error.metadata["column"] == "14"
    assert all(letter.isprintable() or letter == "\n" for letter in error.message)


def test_tabs_and_carriage_returns(refusal: Refusal) -> None:
    """Lines end as on any system, and a tab is one column."""
    error = refusal("a = x\r\n\tb = zz\r", x="f64[8]")
    assert error.metadata == {"line": "2", "column": "6"}
    assert error.message.split("\n")[1:3] == ["     b = zz", "         ^"]
