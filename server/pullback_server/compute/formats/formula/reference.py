"""Writes the tables of docs/formula.md from the tables that the language is made of.

`python -m pullback_server.compute.formats.formula.reference docs/formula.md` brings a page up to date.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from pullback_server.compute.formats.formula import limits, operators
from pullback_server.compute.formats.formula.attributes import PROPERTIES
from pullback_server.compute.formats.formula.functions.entry import Function
from pullback_server.compute.formats.formula.functions.table import GROUPS
from pullback_server.compute.formats.formula.grammar import BINARY, PREFIX

BEGIN: Final = "<!-- generated: formula.reference -->"
END: Final = "<!-- end of generated -->"


def reference() -> str:
    """The generated part of the page, in Markdown."""
    return f"{_operators()}\n\n{_attributes()}\n\n{_functions()}\n\n{_limits()}"


def embed(page: str) -> str:
    """The page with its generated part made anew.

    Raises:
        ValueError: If the page does not have the two marks between which it stands.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the page has no {BEGIN} followed by {END}")
    return f"{before}{BEGIN}\n\n{reference()}\n\n{END}{after}"


def _operators() -> str:
    binary = [(f"`a {entry.symbol} b`", BINARY[entry.symbol], entry) for entry in operators.BINARY.values()]
    prefix = [
        (f"`{_spaced(entry.symbol)}a`", PREFIX[entry.symbol], entry) for entry in operators.PREFIX.values()
    ]
    ordered = sorted([*binary, *prefix], key=lambda row: -row[1])
    rows = [
        (written, _prose(entry.summary), f"`{entry.jax}`", str(binds)) for written, binds, entry in ordered
    ]
    return f"### Operators\n\n{_table(('operator', 'gives', 'JAX', 'binds'), rows)}"


def _attributes() -> str:
    rows = [(f"`x.{name}`", _prose(entry.summary)) for name, entry in PROPERTIES.items()]
    return f"### Attributes\n\n{_table(('attribute', 'gives'), rows)}"


def _functions() -> str:
    return "\n\n".join(
        f"### {title}\n\n{_table(('function', 'gives', 'JAX'), map(_row, group))}"
        for title, group in GROUPS.items()
    )


def _row(function: Function) -> Sequence[str]:
    aliases = f" (also `{'`, `'.join(function.aliases)}`)" if function.aliases else ""
    return f"`{function.usage}`", f"{_prose(function.summary)}{aliases}", f"`{function.jax}`"


def _limits() -> str:
    rows = [
        ("characters", str(limits.MAX_CHARACTERS)),
        ("words, numbers and symbols", str(limits.MAX_TOKENS)),
        ("levels of nesting", "`max_nesting`, 64 unless set"),
        ("axes of an array", str(limits.MAX_RANK)),
        ("elements of an array, unless an argument has more", str(limits.MAX_ELEMENTS)),
    ]
    return f"### Limits\n\n{_table(('of a formula', 'at most'), rows)}"


def _spaced(symbol: str) -> str:
    return f"{symbol} " if symbol.isalpha() else symbol


def _prose(summary: str) -> str:
    return summary.replace("*", "\\*")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join(_lines([head, ["---"] * len(head), *rows]))


def _lines(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    for row in rows:
        cells = " | ".join(cell.replace("|", "\\|") for cell in row)
        yield f"| {cells} |"


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.write_text(embed(target.read_text(encoding="utf-8")), encoding="utf-8")
