"""Cutting text into tokens."""

from __future__ import annotations

import pytest

from pullback_server.compute.formats.formula.diagnostics import FormulaError
from pullback_server.compute.formats.formula.tokens import TokenKind, tokenize


def _texts(source: str) -> list[str]:
    return [token.text for token in tokenize(source)]


@pytest.mark.parametrize(
    ("source", "texts"),
    [
        ("", [""]),
        ("a**-b//2", ["a", "**", "-", "b", "//", "2", ""]),
        ("1.5e-3j+.5 1e5", ["1.5e-3j", "+", ".5", "1e5", ""]),
        ("x[1:,...,::-1]", ["x", "[", "1", ":", ",", "...", ",", ":", ":", "-", "1", "]", ""]),
        ("x[1...]", ["x", "[", "1", "...", "]", ""]),
        ("a<=b!=c==d>=e<f", ["a", "<=", "b", "!=", "c", "==", "d", ">=", "e", "<", "f", ""]),
        ("f('a;b # c') # d", ["f", "(", "'a;b # c'", ")", ""]),
        ("a\r\nb\rc\nd;e", ["a", "\r\n", "b", "\r", "c", "\n", "d", ";", "e", ""]),
        ("f(a,\n  b)\n", ["f", "(", "a", ",", "b", ")", "\n", ""]),
    ],
)
def test_tokens(source: str, texts: list[str]) -> None:
    """Each kind of token ends where it should; line ends in brackets are left out."""
    assert _texts(source) == texts


def test_positions_and_kinds() -> None:
    """A token knows its offset and what it is."""
    tokens = tokenize("ab = 'x' ;\t1")
    assert [(token.kind, token.position) for token in tokens] == [
        (TokenKind.NAME, 0),
        (TokenKind.SYMBOL, 3),
        (TokenKind.TEXT, 5),
        (TokenKind.SEPARATOR, 9),
        (TokenKind.NUMBER, 11),
        (TokenKind.END, 12),
    ]


@pytest.mark.parametrize(
    ("source", "position", "says"),
    [
        ("f(x", 1, "( is never closed"),
        ("(x]", 2, "] stands where ) is due"),
        ("x)", 1, ") closes nothing"),
        ("f('a", 2, "not closed on its line"),
        ("'a\nb'", 0, "not closed on its line"),
        ("x\u00b2", 1, "U+00B2"),
        ("a \\\n b", 2, "U+005C"),
        ("a\x00", 1, "U+0000"),
        ("\u00e9", 0, "U+00E9"),
        ("a\u00a0b", 1, "U+00A0"),
    ],
)
def test_refused_text(source: str, position: int, says: str) -> None:
    """Foreign characters and unmatched brackets are refused where they stand."""
    with pytest.raises(FormulaError) as caught:
        tokenize(source)
    assert caught.value.position == position
    assert says in caught.value.what
    assert caught.value.advice
