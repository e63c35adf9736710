"""Cuts the text of a formula into tokens. Knows characters, not what they mean together."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from pullback_server.compute.formats.formula.diagnostics import FormulaError, Over
from pullback_server.compute.formats.formula.grammar import FOREIGN_CHARACTERS
from pullback_server.compute.formats.formula.limits import MAX_CHARACTERS, MAX_TOKENS
from pullback_server.errors import Reason


class TokenKind(Enum):
    """What a token is."""

    NUMBER = auto()
    NAME = auto()
    TEXT = auto()
    SYMBOL = auto()
    SEPARATOR = auto()
    END = auto()


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the source.

    Attributes:
        kind: What it is.
        text: Its characters.
        position: Its offset in the source.
    """

    kind: TokenKind
    text: str
    position: int


# No alternative can match in two ways, so the time is linear in the length.
_PIECE: Final = re.compile(
    r"""
    (?P<blank>[ \t\f]+|\#[^\r\n]*)
  | (?P<newline>\r\n|\r|\n)
  | (?P<semicolon>;)
  | (?P<number>(?:\d+(?:\.(?!\.)\d*)?|\.\d+)(?:[eE][+-]?\d+)?[jJ]?)
  | (?P<name>[A-Za-z_]\w*)
  | (?P<text>"[^"\r\n]*"|'[^'\r\n]*')
  | (?P<symbol>\*\*=|//=|\.\.\.|\*\*|//|->|&&|\|\|
             |[<>=!+*/%@:-]=|[-+*/%@<>=&|~^!?.,:()\[\]{}])
    """,
    re.VERBOSE | re.ASCII,
)
_KINDS: Final = {
    "number": TokenKind.NUMBER,
    "name": TokenKind.NAME,
    "text": TokenKind.TEXT,
    "symbol": TokenKind.SYMBOL,
    "semicolon": TokenKind.SEPARATOR,
    "newline": TokenKind.SEPARATOR,
}
_CLOSING: Final = {"(": ")", "[": "]", "{": "}"}


def tokenize(source: str) -> tuple[Token, ...]:
    """The tokens of a formula, the last one an END.

    Line ends within brackets are left out, so that an expression in brackets can go over several lines.

    Raises:
        FormulaError: If the source is too long, a character is foreign, or brackets do not match.
    """
    if len(source) > MAX_CHARACTERS:
        raise FormulaError(
            f"the formula has {len(source)} characters",
            "Register it as several functions, or as StableHLO.",
            over=Over(Reason.PROGRAM_TOO_LARGE, len(source), MAX_CHARACTERS),
        )
    tokens = [*_outside_brackets(_pieces(source)), Token(TokenKind.END, "", len(source))]
    if len(tokens) > MAX_TOKENS:
        raise FormulaError(
            f"the formula has {len(tokens)} words, numbers and symbols",
            "Write repeated parts once, with an assignment, or register it as StableHLO.",
            tokens[MAX_TOKENS].position,
            Over(Reason.TOO_MANY_OPERATIONS, len(tokens), MAX_TOKENS),
        )
    return tuple(tokens)


def _pieces(source: str) -> Iterator[Token]:
    position = 0
    while position < len(source):
        match = _PIECE.match(source, position)
        if match is None:
            raise _foreign(source[position], position)
        if match.lastgroup is not None and match.lastgroup != "blank":
            yield Token(_KINDS[match.lastgroup], match.group(), position)
        position = match.end()


def _foreign(character: str, position: int) -> FormulaError:
    if character in "\"'":
        return FormulaError("a text is not closed on its line", f"Close it with {character}.", position)
    code = f"U+{ord(character):04X}"
    shown = f"{character} ({code})" if character.isprintable() else code
    advice = FOREIGN_CHARACTERS.get(character, "Names have ASCII letters, digits and underscores.")
    return FormulaError(f"the character {shown} has no meaning in a formula", advice, position)


def _outside_brackets(pieces: Iterator[Token]) -> Iterator[Token]:
    opened: list[Token] = []
    for token in pieces:
        if token.kind is TokenKind.SYMBOL:
            _follow_bracket(token, opened)
        if not (opened and token.kind is TokenKind.SEPARATOR and token.text != ";"):
            yield token
    if opened:
        what = f"the bracket {opened[-1].text} is never closed"
        raise FormulaError(what, f"Close it with {_CLOSING[opened[-1].text]}.", opened[-1].position)


def _follow_bracket(token: Token, opened: list[Token]) -> None:
    if token.text in _CLOSING:
        opened.append(token)
    elif token.text in _CLOSING.values():
        if not opened:
            raise FormulaError(f"the bracket {token.text} closes nothing", "Remove it.", token.position)
        expected = _CLOSING[opened.pop().text]
        if token.text != expected:
            what = f"the bracket {token.text} stands where {expected} is due"
            raise FormulaError(what, f"Write {expected} here.", token.position)
