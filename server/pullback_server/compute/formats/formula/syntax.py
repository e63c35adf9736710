"""The syntax tree of a formula.

The tree is stored flat: every node refers to its children by their index, and children stand before
their parents. Walking it is a loop, so that a sum of a thousand terms needs no deeper stack than one of
two. Every node knows its position in the source: of an operator its symbol, of a call its function.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import EllipsisType

Index = int
Number = bool | int | float | complex


@dataclass(frozen=True, slots=True)
class Constant:
    """A number, a text, None or an ellipsis."""

    position: int
    value: Number | str | EllipsisType | None


@dataclass(frozen=True, slots=True)
class Name:
    """A name that stands for an argument, an assigned value or a constant."""

    position: int
    name: str


@dataclass(frozen=True, slots=True)
class Unary:
    """A prefix operator and its operand."""

    position: int
    symbol: str
    operand: Index


@dataclass(frozen=True, slots=True)
class Binary:
    """An operator between two operands."""

    position: int
    symbol: str
    left: Index
    right: Index


@dataclass(frozen=True, slots=True)
class Keyword:
    """An argument of a call that is given by name; no node of its own."""

    position: int
    name: str
    value: Index


@dataclass(frozen=True, slots=True)
class Call:
    """A function and its arguments."""

    position: int
    function: str
    arguments: tuple[Index, ...]
    keywords: tuple[Keyword, ...]


@dataclass(frozen=True, slots=True)
class Slice:
    """A slice within a subscript; a bound that is left out is None."""

    position: int
    start: Index | None
    stop: Index | None
    step: Index | None


@dataclass(frozen=True, slots=True)
class Subscript:
    """A value and what stands in the brackets after it."""

    position: int
    base: Index
    items: tuple[Index, ...]


@dataclass(frozen=True, slots=True)
class TupleDisplay:
    """Values in round brackets with a comma."""

    position: int
    items: tuple[Index, ...]


@dataclass(frozen=True, slots=True)
class ListDisplay:
    """Values in square brackets: an array literal."""

    position: int
    items: tuple[Index, ...]


@dataclass(frozen=True, slots=True)
class Attribute:
    """A value and a name after a dot."""

    position: int
    base: Index
    name: str


@dataclass(frozen=True, slots=True)
class Assignment:
    """A name and the value that it stands for from here on."""

    position: int
    name: str
    value: Index


Operation = Unary | Binary | Call | Subscript | Attribute
Term = Constant | Name | Slice | TupleDisplay | ListDisplay | Assignment
Node = Operation | Term


@dataclass(frozen=True, slots=True)
class Syntax:
    """A whole formula.

    Attributes:
        nodes: All nodes, children before their parents, statements in order.
        result: The index of the last statement.
    """

    nodes: tuple[Node, ...]
    result: Index
