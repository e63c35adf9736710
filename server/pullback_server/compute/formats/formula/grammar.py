"""The words of the language, how tightly its operators bind, and what to say of foreign ones."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

COMPARISONS: Final = frozenset({"<", "<=", ">", ">=", "==", "!="})
COMPARISON: Final = 4
UNARY: Final = 9
POWER: Final = 10

# As in Python; a higher number binds tighter.
BINARY: Final[Mapping[str, int]] = MappingProxyType(
    {
        "or": 1,
        "and": 2,
        **dict.fromkeys(sorted(COMPARISONS), COMPARISON),
        "|": 5,
        "&": 6,
        **dict.fromkeys(("+", "-"), 7),
        **dict.fromkeys(("*", "/", "//", "%", "@"), 8),
        "**": POWER,
    }
)
PREFIX: Final[Mapping[str, int]] = MappingProxyType({"not": 3, **dict.fromkeys(("+", "-", "~"), UNARY)})
CONSTANTS: Final[Mapping[str, bool | None]] = MappingProxyType(
    {"True": True, "False": False, "None": None, "newaxis": None}
)
RESERVED: Final = frozenset({*CONSTANTS, "and", "or", "not"})

_CONDITIONAL: Final = "Write where(condition, a, b) for a choice between two values."
_NO_LOOPS: Final = "Formulas have no loops; write whole arrays, such as sum(x[1:] * x[:-1])."
_NO_PYTHON: Final = "A formula is a list of assignments and expressions; see docs/formula.md."
FOREIGN_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        **dict.fromkeys(("if", "else", "elif"), _CONDITIONAL),
        **dict.fromkeys(("for", "while", "in", "break", "continue"), _NO_LOOPS),
        "is": "Write == to compare.",
        "return": "The last statement is the result; write its expression alone.",
        **dict.fromkeys(
            ("lambda", "def", "class", "import", "from", "as", "with", "try", "except", "raise", "yield"),
            _NO_PYTHON,
        ),
        **dict.fromkeys(
            ("del", "global", "nonlocal", "assert", "async", "await", "pass", "finally"), _NO_PYTHON
        ),
    }
)

_AUGMENTED: Final = "Write the assignment in full, such as a = a + 1."
FOREIGN_SYMBOLS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "^": "Write ** for a power, and != for the exclusive or of two conditions.",
        "!": "Write not or ~ for a negation, and != for unequal.",
        "?": _CONDITIONAL,
        "&&": "Write & or and.",
        "||": "Write | or or.",
        ":=": "Write a statement of its own, such as a = x**2, before its use.",
        "->": _NO_PYTHON,
        "{": "Write [ ] for an array and ( ) for a group.",
        "}": "Write [ ] for an array and ( ) for a group.",
        "=": "Write == to compare; an assignment is a statement of its own, such as a = x**2.",
        "...": "An ellipsis stands only in an index, such as x[..., 0].",
        ":": "A slice stands only in an index, such as x[1:].",
        **dict.fromkeys(("+=", "-=", "*=", "/=", "//=", "%=", "**=", "@="), _AUGMENTED),
    }
)
FOREIGN_CHARACTERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "\\": "Put brackets around an expression that goes over several lines.",
        "`": 'Write text in quotation marks, such as "ij,j->i".',
        "\u2212": "Write - for minus.",
        "\u2013": "Write - for minus.",
        "\u00d7": "Write * for multiplication.",
        "\u00b7": "Write * for multiplication.",
        "\u00f7": "Write / for division.",
        "\u00b2": "Write **2 for a square.",
        "\u00b3": "Write **3 for a cube.",
        "\u2264": "Write <=.",
        "\u2265": "Write >=.",
        "\u2260": "Write !=.",
        "\u03c0": "Write pi.",
        "\u221e": "Write inf.",
        "\u221a": "Write sqrt(x).",
        "\u201c": "Write straight quotation marks.",
        "\u201d": "Write straight quotation marks.",
        "\u2018": "Write straight quotation marks.",
        "\u2019": "Write straight quotation marks.",
    }
)
