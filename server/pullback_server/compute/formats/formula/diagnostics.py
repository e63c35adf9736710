"""How a formula's error is told: the line, a caret under the column, what is wrong and what to do.

Knows text and positions, neither syntax nor JAX.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from pullback_server.errors import Reason, ServiceError, service_error

_LINE_END: Final = re.compile(r"\r\n|\r|\n")
_SHOWN: Final = 100
_BEFORE: Final = 70
_LONGEST_SENTENCE: Final = 400
_LONGEST_GUESS: Final = 40
_CLOSE: Final = 0.66


@dataclass(frozen=True, slots=True)
class Over:
    """A limit that a formula is over.

    Attributes:
        reason: Which.
        value: How large the formula is in this respect, as far as it was read.
        limit: How large it may be.
        setting: The server's setting for it; empty where there is none.
    """

    reason: Reason
    value: int
    limit: int
    setting: str = ""

    @property
    def metadata(self) -> dict[str, str]:
        """What programs are told of it."""
        found = {"value": str(self.value), "limit": str(self.limit)}
        return found | ({"setting": self.setting} if self.setting else {})

    def __str__(self) -> str:
        whose = f"the server's limit ({self.setting})" if self.setting else "the limit"
        return f"{whose} is {self.limit}"


class FormulaError(Exception):
    """Something in a formula is wrong.

    Args:
        what: What is wrong, with the value.
        advice: What to do.
        position: The offset in the source; None where only the caller knows it.
        over: The limit that the formula is over, where that is what is wrong.
    """

    def __init__(
        self, what: str, advice: str = "", position: int | None = None, over: Over | None = None
    ) -> None:
        super().__init__(what)
        self.what = what if over is None else f"{what}; {over}"
        self.over = over
        self.advice = advice
        self.position = position

    def at(self, position: int) -> FormulaError:
        """The same error, placed at `position` if it has no place yet."""
        return self if self.position is not None else FormulaError(self.what, self.advice, position)


def report(error: FormulaError, source: str) -> ServiceError:
    """The error that a caller gets: FORMULA_ERROR, or the limit's, with `line` and `column`, both from 1."""
    line, column, text = _locate(source, error.position or 0)
    shown, caret = _window(text, column)
    what, advice = brief(error.what, _LONGEST_SENTENCE), brief(error.advice, _LONGEST_SENTENCE)
    rows = [f"line {line}, column {column}: {what}", f"    {shown}", f"    {' ' * caret}^", advice]
    message = printable("\n".join(rows).rstrip())
    reason = Reason.FORMULA_ERROR if error.over is None else error.over.reason
    found = service_error(reason, message, line=str(line), column=str(column))
    if error.over is not None:
        found.metadata |= error.over.metadata
    return found


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
