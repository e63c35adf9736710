"""What a block is turned into before it is built, for the sake of its derivatives. Knows plain data only."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from pullback_server.compute.formats.stablehlo.rewriting.recomposition import recomposed
from pullback_server.compute.formats.stablehlo.rewriting.special_functions import recognised
from pullback_server.compute.formats.stablehlo.syntax import Block, Splat


def rewritten(block: Block, scalars: Mapping[int, Any], callee: Callable[[str], Block]) -> Block:
    """A block of the same values.

    Args:
        block: The block.
        scalars: The constants of one element in it and around it, by number.
        callee: Gives the functions that are called.
    """
    return recognised(recomposed(block, scalars), scalars, callee)


def scalars_of(block: Block) -> Iterator[tuple[int, Any]]:
    """The constants in a block whose elements are all one, by number."""
    for operation in block.operations:
        if operation.name == "stablehlo.constant":
            value = operation.attributes["value"]
            if isinstance(value, Splat):
                yield operation.results[0], value.element
            elif np.size(value) == 1:
                yield operation.results[0], np.reshape(value, ())[()]
