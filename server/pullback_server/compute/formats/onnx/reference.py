"""Writes the tables of docs/onnx.md from the tables of the operators.

`python -m pullback_server.compute.formats.onnx.reference docs/onnx.md` brings a page up to date.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from pullback_server.compute.formats.onnx import limits
from pullback_server.compute.formats.onnx.reading import OLDEST_OPSET
from pullback_server.compute.formats.onnx.table import EXPANDED, GROUPS, LEARNING, REFUSED

BEGIN: Final = "<!-- generated: onnx.reference -->"
END: Final = "<!-- end of generated -->"


def reference() -> str:
    """The generated part of the page, in Markdown."""
    return f"{_served()}\n\n{_refused()}\n\n{_limits()}"


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


def _served() -> str:
    rows = [(title, _names(group)) for title, group in GROUPS.items()]
    rows.append(("By their definition in ONNX", _names(EXPANDED)))
    rows.append(("Of the domain `ai.onnx.ml`", _names(LEARNING)))
    return f"### Operators that are served\n\n{_table(('kind', 'operators'), rows)}"


def _refused() -> str:
    reasons: dict[tuple[str, str], list[str]] = {}
    for name, reason in sorted(REFUSED.items()):
        reasons.setdefault(reason, []).append(name)
    rows = [(_names(names), *reason) for reason, names in reasons.items()]
    return f"### Operators that are refused\n\n{_table(('operators', 'because each', 'instead'), rows)}"


def _limits() -> str:
    rows = [
        ("oldest operator set", str(OLDEST_OPSET)),
        ("nodes, those of functions counted at each call", "`max_operations`, 1,000,000 unless set"),
        ("levels of nesting", f"{limits.DEEPEST_NESTING}, or `max_nesting` if that is less"),
        ("repetitions of a loop whose values change their shapes", str(limits.LARGEST_UNROLL)),
        ("pieces that a node cuts an array into", str(limits.MOST_PIECES)),
        ("elements of an array that shapes are made of", str(limits.LARGEST_FIXED)),
        ("elements of an array, unless an argument has more", str(limits.MAX_ELEMENTS)),
        ("axes of an array", str(limits.MAX_RANK)),
    ]
    return f"### Limits\n\n{_table(('of a model', 'value'), rows)}"


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join(_lines([head, ["---"] * len(head), *rows]))


def _lines(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    for row in rows:
        yield f"| {' | '.join(row)} |"


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.write_text(embed(target.read_text(encoding="utf-8")), encoding="utf-8")
