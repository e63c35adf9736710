"""The type of an array: its element type and its shape."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Final

from pullback.program.elements import ElementType, parse_element
from pullback.program.errors import MalformedProgramError

_SPELLING: Final = re.compile(r"(?P<element>[a-z0-9_]+)(?:\[(?P<shape>[0-9, ]*)\])?", re.ASCII)


@dataclass(frozen=True, slots=True)
class TensorType:
    """An element type and a shape, written `f64[8,3]`; a scalar is `f64[]`.

    Attributes:
        element: The type of every element.
        shape: The size of each axis, outermost first.
    """

    element: ElementType
    shape: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.element.value}[{','.join(map(str, self.shape))}]"

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """The number of bytes of all elements."""
        return self.size * self.element.itemsize

    def batched(self, points: int) -> TensorType:
        """The type of a batch: one more leading axis, of size `points`."""
        return TensorType(self.element, (points, *self.shape))


def parse_tensor_type(text: str) -> TensorType:
    """Reads `f64[8,3]`, `f64[]` or `f64`, the latter two a scalar.

    Raises:
        MalformedProgramError: If the text is none of these.
    """
    match = _SPELLING.fullmatch(text.strip())
    if match is None:
        raise MalformedProgramError(
            f"{text!r} is no tensor type; write it like f64[8,3], or f64[] for a scalar"
        )
    sizes = [part.strip() for part in (match["shape"] or "").split(",")]
    if sizes == [""]:
        sizes = []
    if not all(part.isdigit() for part in sizes):
        raise MalformedProgramError(f"{text!r} has a shape that is no list of sizes; write it like f64[8,3]")
    return TensorType(parse_element(match["element"]), tuple(map(int, sizes)))
