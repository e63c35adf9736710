"""Products with infinity that a select discards, made so that derivatives discard them too.

The derivative of `which ? x * inf : y` multiplies by infinity also where y is taken, and zero times
infinity is no number. CHLO's inverse error function is written so. Knows plain data only, not JAX.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np

from pullback_server.compute.formats.stablehlo.syntax import Block, Operation

GUARDED: Final = "pullback.select_product"
"""Of which, x, factor, y: `which ? x * factor : y`, with a factor that is infinite."""


def guarded(block: Block, scalars: Mapping[int, Any]) -> Block:
    """A block in which selects that may discard a product with infinity are one operation with it.

    Args:
        block: The block.
        scalars: The constants of one element in it and around it, by number.
    """
    makers = {number: made for made in block.operations for number in made.results}
    uses = Counter(
        number for made in block.operations for number in {*made.operands, *made.captures}
    ) + Counter(block.returns)
    replaced: dict[int, Operation] = {}
    dropped: set[int] = set()
    for operation in block.operations:
        if operation.name != "stablehlo.select":
            continue
        product = makers.get(operation.operands[1])
        if product is None or product.name != "stablehlo.multiply" or uses[product.results[0]] != 1:
            continue
        for factor, other in (product.operands[::-1], product.operands):
            number = _unbroadcast(factor, makers)
            if _is_infinite(scalars.get(number)):
                which, _, otherwise = operation.operands
                whole = replace(operation, name=GUARDED, operands=(which, other, number, otherwise))
                replaced[id(operation)] = whole
                dropped.add(id(product))
                break
    if not replaced:
        return block
    kept = [replaced.get(id(made), made) for made in block.operations if id(made) not in dropped]
    return replace(block, operations=tuple(kept))


def _unbroadcast(number: int, makers: Mapping[int, Operation]) -> int:
    """The scalar that a value repeats; the value itself if it is no repetition."""
    made = makers.get(number)
    if made is None or made.name != "stablehlo.broadcast_in_dim" or made.operand_types[0].shape:
        return number
    return made.operands[0]


def _is_infinite(value: Any) -> bool:
    return isinstance(value, np.floating | float) and bool(np.isinf(value))
