"""Formulas by the language's grammar: sound in syntax, and of any meaning."""

from __future__ import annotations

from random import Random
from typing import Final

from pullback_server.compute.formats.formula.functions.table import FUNCTIONS
from pullback_server.compute.formats.formula.grammar import BINARY, PREFIX

_NAMES: Final = ("x", "y", "n")
_TYPES: Final = (
    *("f64[]", "f64[3]", "f64[2,3]", "f64[0]", "f32[4]", "f64[n]", "f64[n,n]", "i32[]", "i64[3]", "i1[2]"),
    *("c128[2]", "bf16[3]", "f8e5m2[4]", "f64[1,1,1,1,1,1]", "ui8[2]"),
)
_NUMBERS: Final = ("0", "1", "-1", "2.5", "3", "64", "1e300", "2j", "10**18", "9223372036854775808", "0.1")
_CONSTANTS: Final = ("pi", "inf", "nan", "True", "()", "(0, 1)", "'fro'", "[0, 1]", "[[1, 2], [3, 4]]")
_ITEMS: Final = (":", "1:", "::-1", "::0", "...", "0", "-1", "newaxis", "[0, 1]", "x > 0")
_OPTIONS: Final = ("axis=", "keepdims=", "k=", "ord=", "decimals=", "ddof=", "num=")
_FUNCTIONS: Final = sorted(FUNCTIONS)
_BINARY: Final = sorted(BINARY)
_PREFIX: Final = sorted(PREFIX)
_LEAF_SHARE: Final = 0.3
_DEEPEST: Final = 5


def arguments(dice: Random) -> dict[str, str]:
    """The types of a function's arguments, by name."""
    return {name: dice.choice(_TYPES) for name in _NAMES[: dice.randint(1, len(_NAMES))]}


def source(dice: Random) -> str:
    """The text of a function: one to four statements."""
    statements = [f"a{index} = {_expression(dice, 0)}" for index in range(dice.randint(0, 3))]
    return dice.choice(("\n", "; ")).join([*statements, _expression(dice, 0)])


def _expression(dice: Random, depth: int) -> str:
    if depth >= _DEEPEST or dice.random() < _LEAF_SHARE:
        return _leaf(dice)
    inner = lambda: _expression(dice, depth + 1)  # noqa: E731 -- a word for what each of these has
    match dice.randrange(8):
        case 0 | 1:
            return f"({inner()} {dice.choice(_BINARY)} {inner()})"
        case 2:
            return f"({dice.choice(_PREFIX)} {inner()})"
        case 3 | 4 | 5:
            return f"{dice.choice(_FUNCTIONS)}({_arguments(dice, inner())})"
        case 6:
            items = ", ".join(dice.choice(_ITEMS) for _ in range(dice.randint(1, 3)))
            return f"{inner()}[{items}]"
        case _:
            return f"[{inner()}, {inner()}]" if dice.random() < _LEAF_SHARE else f"{inner()}.T"


def _arguments(dice: Random, first: str) -> str:
    rest = [_leaf(dice) for _ in range(dice.choice((0, 0, 0, 1, 1, 2)))]
    options = [f"{dice.choice(_OPTIONS)}{_leaf(dice)}" for _ in range(dice.choice((0, 0, 0, 1)))]
    return ", ".join([first, *rest, *options])


def _leaf(dice: Random) -> str:
    kind = dice.random()
    if kind < 0.6:
        return dice.choice((*_NAMES, "x", "x", "a0", "a1"))
    return dice.choice(_NUMBERS if kind < 0.85 else _CONSTANTS)
