"""The type of an array: its element type and its shape, in which sizes may be symbols."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pullback.program.dimensions import evaluate, spelled
from pullback.program.elements import ElementType, parse_element
from pullback.program.errors import MalformedProgramError

_SPELLING: Final = re.compile(r"(?P<element>[a-z0-9_]+)(?:\[(?P<shape>[^\]]*)\])?", re.ASCII)

UNKNOWN: Final = -1
"""What stands in a shape where the size is an expression of symbols."""


@dataclass(frozen=True, slots=True)
class TensorType:
    """An element type and a shape, written `f64[8,3]`; a scalar is `f64[]`.

    Attributes:
        element: The type of every element.
        shape: The size of each axis, outermost first; UNKNOWN where it is an expression of symbols.
        symbols: Empty, unless a size is an expression: then for each axis the expression, such as `n` or
            `2*n+1`, and an empty text where the size is fixed.
    """

    element: ElementType
    shape: tuple[int, ...]
    symbols: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.element.value}[{','.join(self.sizes)}]"

    @property
    def sizes(self) -> tuple[str, ...]:
        """The size of each axis as text: a number, or an expression."""
        if not self.symbols:
            return tuple(map(str, self.shape))
        return tuple(text or str(size) for size, text in zip(self.shape, self.symbols, strict=True))

    @property
    def size(self) -> int:
        """The number of elements.

        Raises:
            ValueError: If a size is an expression.
        """
        if self.symbols:
            raise ValueError(f"{self} has no number of elements before its symbols have sizes")
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """The number of bytes of all elements."""
        return self.size * self.element.itemsize

    def batched(self, points: int) -> TensorType:
        """The type of a batch: one more leading axis, of size `points`."""
        return TensorType(self.element, (points, *self.shape), self.symbols and ("", *self.symbols))

    def at(self, sizes: Mapping[str, int]) -> TensorType:
        """The type with the symbols' sizes put in.

        Raises:
            SizeError: If an expression has no value.
            KeyError: If a symbol has no size.
        """
        if not self.symbols:
            return self
        pairs = zip(self.shape, self.symbols, strict=True)
        return TensorType(
            self.element, tuple(evaluate(text, sizes) if text else size for size, text in pairs)
        )


def symbolic_type(element: ElementType, sizes: tuple[int | str, ...]) -> TensorType:
    """A type whose sizes are numbers, or expressions of symbols as text.

    Raises:
        MalformedProgramError: If a text is no expression.
    """
    if all(isinstance(size, int) for size in sizes):
        return TensorType(element, tuple(size for size in sizes if isinstance(size, int)))
    shape = tuple(size if isinstance(size, int) else UNKNOWN for size in sizes)
    return TensorType(element, shape, tuple("" if isinstance(size, int) else spelled(size) for size in sizes))


def parse_tensor_type(text: str) -> TensorType:
    """Reads `f64[8,3]`, or `f64[n,2*n+1]` with symbols; `f64[]` or `f64` is a scalar.

    Raises:
        MalformedProgramError: If the text is none of these.
    """
    match = _SPELLING.fullmatch(text.strip())
    if match is None:
        raise MalformedProgramError(
            f"{text!r} is no tensor type; write it like f64[8,3], or f64[] for a scalar"
        )
    sizes = _split(match["shape"] or "")
    if sizes == [""]:
        sizes = []
    element = parse_element(match["element"])
    try:
        return symbolic_type(element, tuple(int(part) if part.isdigit() else part for part in sizes))
    except MalformedProgramError as error:
        raise MalformedProgramError(f"{text!r} has a shape that is no list of sizes: {error}") from error


def _split(shape: str) -> list[str]:
    """The sizes in a shape, which commas separate; those in parentheses stand inside of one."""
    parts, depth = [""], 0
    for character in shape:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]
