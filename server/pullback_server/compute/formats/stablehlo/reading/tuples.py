"""Values that are several tensors or none: tuples are taken apart as they are read, tokens left out.

What orders side effects has no meaning where there are none.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from jax.extend.mlir import ir
from jax.extend.mlir.dialects import stablehlo

STRUCTURE: Final = frozenset(
    f"stablehlo.{name}" for name in ("after_all", "create_token", "get_tuple_element", "tuple")
)
"""The operations that only put values together or take them apart; no `syntax.Operation` is left of them."""


def parts(kind: Any) -> Iterator[Any]:
    """The MLIR types that a value's type consists of: itself, or what a tuple holds at any depth."""
    if isinstance(kind, ir.RankedTensorType):
        yield kind
    elif isinstance(kind, ir.TupleType):
        for index in range(kind.num_types):
            yield from parts(kind.get_type(index))
    elif not stablehlo.TokenType.isinstance(kind):
        yield kind


def restructured(operation: Any, operands: list[tuple[int, ...]]) -> tuple[int, ...]:
    """The numbers of the parts of the result of one of the operations of `STRUCTURE`.

    Args:
        operation: The operation.
        operands: The numbers of the parts of each operand.
    """
    if operation.name != "stablehlo.get_tuple_element":
        return tuple(number for operand in operands for number in operand)
    index, kind = operation.attributes["index"].value, operation.operands[0].type
    first = sum(len(tuple(parts(kind.get_type(before)))) for before in range(index))
    return operands[0][first : first + len(tuple(parts(kind.get_type(index))))]
