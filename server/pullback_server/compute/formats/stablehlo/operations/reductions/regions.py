"""Recognising what a region does."""

from __future__ import annotations

from typing import Final

from pullback_server.compute.formats.stablehlo.syntax import Block

_COMMUTATIVE: Final = frozenset(
    f"stablehlo.{name}" for name in ("add", "multiply", "maximum", "minimum", "and", "or", "xor")
)


def binary_operation(block: Block) -> str | None:
    """The name of the one operation that a region of two arguments applies to them; None if it does more.

    For an operation that does not commute, the order of the arguments is that of the operands.
    """
    if len(block.operations) != 1 or len(block.arguments) != 2:  # noqa: PLR2004 -- left and right
        return None
    (operation,) = block.operations
    operands = operation.operands
    in_order = operands == block.arguments
    swapped = operands == block.arguments[::-1] and operation.name in _COMMUTATIVE
    if operation.results != block.returns or not (in_order or swapped):
        return None
    return operation.name
