"""Mutations of StableHLO text that keep most of its syntax."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from random import Random
from typing import Final

_NUMBER: Final = re.compile(r"(?<![\w%@#.])-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_TYPE: Final = re.compile(r"tensor<[^<>]*(?:complex<f\d+>)?[^<>]*>")
_OPERATION: Final = re.compile(r"\b(?:stablehlo|chlo)\.\w+")
_VALUE: Final = re.compile(r"%\w+(?:#\d+)?")
_ELEMENT: Final = re.compile(
    r"(?<=[<x])(?:f64|f32|f16|bf16|i1|i8|i32|i64|ui8|ui32|complex<f64>|f8E4M3FN)(?=>)"
)
_NUMBERS: Final = (
    *("0", "1", "-1", "2", "3", "7", "63", "64", "65", "1000", "2147483647", "-2147483648", "4294967296"),
    *(
        "9223372036854775807",
        "9223372036854775808",
        "1e308",
        "1e309",
        "-0.0",
        "0x7FF0000000000000",
        "10000000",
    ),
)
_ELEMENTS: Final = (
    "f64",
    "f32",
    "bf16",
    "i1",
    "i8",
    "i32",
    "i64",
    "ui8",
    "ui64",
    "complex<f64>",
    "f8E4M3FN",
    "index",
)
_WORDS: Final = (
    "?",
    "[]",
    "{}",
    "()",
    "dense<>",
    "array<i64>",
    "array<i64: 0, 0>",
    "unit",
    "loc(unknown)",
    "@main",
)

Edit = Callable[[str, Random, Sequence[str]], str]
"""Changes a text; the last argument is what other texts there are."""


def mutated(text: str, dice: Random, others: Sequence[str]) -> str:
    """The text after one to five changes; fewer are likelier."""
    for _ in range(min(5, 1 + int(dice.expovariate(0.8)))):
        text = dice.choice(_EDITS)(text, dice, others)
    return text


def _exchange(pattern: re.Pattern[str], make: Callable[[Random, Sequence[str]], str]) -> Edit:
    """An edit that puts something else in the place of one match."""

    def edit(text: str, dice: Random, others: Sequence[str]) -> str:
        places = [match.span() for match in pattern.finditer(text)]
        if not places:
            return text
        start, end = dice.choice(places)
        return text[:start] + make(dice, others) + text[end:]

    return edit


def _from_others(pattern: re.Pattern[str]) -> Callable[[Random, Sequence[str]], str]:
    def make(dice: Random, others: Sequence[str]) -> str:
        found = pattern.findall(dice.choice(others))
        return dice.choice(found) if found else "x"

    return make


def _lines(change: Callable[[list[str], Random, Sequence[str]], None]) -> Edit:
    def edit(text: str, dice: Random, others: Sequence[str]) -> str:
        lines = text.splitlines()
        change(lines, dice, others)
        return "\n".join(lines)

    return edit


def _remove_line(lines: list[str], dice: Random, _: Sequence[str]) -> None:
    if lines:
        del lines[dice.randrange(len(lines))]


def _repeat_line(lines: list[str], dice: Random, _: Sequence[str]) -> None:
    if lines:
        lines.insert(dice.randrange(len(lines)), dice.choice(lines))


def _take_line(lines: list[str], dice: Random, others: Sequence[str]) -> None:
    lines.insert(dice.randrange(len(lines) + 1), dice.choice(dice.choice(others).splitlines() or [""]))


def _swap_values(text: str, dice: Random, _: Sequence[str]) -> str:
    values = sorted(set(_VALUE.findall(text)))
    if not values:
        return text
    return _exchange(_VALUE, lambda dice, _: dice.choice(values))(text, dice, ())


def _insert_word(text: str, dice: Random, _: Sequence[str]) -> str:
    place = dice.randrange(len(text) + 1)
    return text[:place] + dice.choice(_WORDS) + text[place:]


def _change_character(text: str, dice: Random, _: Sequence[str]) -> str:
    place = dice.randrange(len(text) + 1)
    return text[:place] + chr(dice.randrange(32, 127)) + text[place + 1 :]


def _retype_everywhere(text: str, dice: Random, _: Sequence[str]) -> str:
    """One element type becomes another in the whole text, which keeps it sound where it can be."""
    elements = _ELEMENT.findall(text)
    if not elements:
        return text
    old, new = dice.choice(elements), dice.choice(_ELEMENTS)
    return _ELEMENT.sub(lambda match: new if match[0] == old else match[0], text)


def _resize_everywhere(text: str, dice: Random, _: Sequence[str]) -> str:
    """One size becomes another in all types."""
    sizes = re.findall(r"\d+(?=x)", text)
    if not sizes:
        return text
    old, new = dice.choice(sizes), dice.choice(("0", "1", "2", "5", "17", "?", "100000"))
    return re.sub(rf"(?<![\w]){old}(?=x)", new, text)


_EDITS: Final[tuple[Edit, ...]] = (
    _exchange(_NUMBER, lambda dice, _: dice.choice(_NUMBERS)),
    _exchange(_NUMBER, lambda dice, _: dice.choice(_NUMBERS)),
    _exchange(_NUMBER, lambda dice, _: str(dice.randint(-3, 9))),
    _exchange(_TYPE, _from_others(_TYPE)),
    _exchange(_OPERATION, _from_others(_OPERATION)),
    _exchange(_OPERATION, _from_others(_OPERATION)),
    _exchange(_ELEMENT, lambda dice, _: dice.choice(_ELEMENTS)),
    _lines(_remove_line),
    _lines(_repeat_line),
    _lines(_take_line),
    _swap_values,
    _swap_values,
    _insert_word,
    _change_character,
    _retype_everywhere,
    _resize_everywhere,
)
