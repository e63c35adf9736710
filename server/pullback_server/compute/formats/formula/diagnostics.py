"""How a formula's error is told: the line, a caret under the column, what is wrong and what to do.

Knows text and positions, neither syntax nor JAX.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Final

from pullback_server.errors import Reason, ServiceError, service_error

_LINE_END: Final = re.compile(r"\r\n|\r|\n")
_SHOWN: Final = 100
_BEFORE: Final = 70
_LONGEST_SENTENCE: Final = 400
_LONGEST_GUESS: Final = 40
_CLOSE: Final = 0.66


class FormulaError(Exception):
    """Something in a formula is wrong.

    Args:
        what: What is wrong, with the value.
        advice: What to do.
        position: The offset in the source; None where only the caller knows it.
    """

    def __init__(self, what: str, advice: str = "", position: int | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.advice = advice
        self.position = position

    def at(self, position: int) -> FormulaError:
        """The same error, placed at `position` if it has no place yet."""
        return self if self.position is not None else FormulaError(self.what, self.advice, position)


def report(error: FormulaError, source: str) -> ServiceError:
    """The error that a caller gets: FORMULA_ERROR with `line` and `column`, both from 1, as metadata."""
    line, column, text = _locate(source, error.position or 0)
    shown, caret = _window(text, column)
    what, advice = brief(error.what, _LONGEST_SENTENCE), brief(error.advice, _LONGEST_SENTENCE)
    rows = [f"line {line}, column {column}: {what}", f"    {shown}", f"    {' ' * caret}^", advice]
    message = printable("\n".join(rows).rstrip())
    return service_error(Reason.FORMULA_ERROR, message, line=str(line), column=str(column))


def printable(text: str) -> str:
    """The text with `?` for what a terminal or UTF-8 could not show."""
    return "".join(letter if letter.isprintable() or letter == "\n" else "?" for letter in text)


def suggestion(name: str, known: Iterable[str]) -> str:
    """`Did you mean ...?`, or nothing where no known name is close."""
    close = (
        difflib.get_close_matches(name, sorted(known), n=1, cutoff=_CLOSE)
        if len(name) <= _LONGEST_GUESS
        else []
    )
    return f"Did you mean {close[0]}? " if close else ""


def brief(text: str, length: int = _LONGEST_GUESS) -> str:
    """The text on one line, cut to `length` characters."""
    line = " ".join(text.split())
    return line if len(line) <= length else f"{line[: length - 3]}..."


def _locate(source: str, position: int) -> tuple[int, int, str]:
    line, start = 1, 0
    for end in _LINE_END.finditer(source):
        if end.start() >= position:
            return line, position - start + 1, source[start : end.start()]
        line, start = line + 1, end.end()
    return line, position - start + 1, source[start:]


def _window(text: str, column: int) -> tuple[str, int]:
    start = max(0, column - 1 - _BEFORE) if len(text) > _SHOWN else 0
    head = "..." if start else ""
    tail = "..." if len(text) > start + _SHOWN else ""
    shown = text[start : start + _SHOWN].replace("\t", " ")
    return f"{head}{shown}{tail}", len(head) + column - 1 - start
