"""Functions of CHLO that portable StableHLO takes apart, recognised. Knows plain data only, not JAX.

Most can be differentiated as they are. The inverse error function cannot: it is `x * inf` where the
modulus of x is 1, and a polynomial elsewhere that takes a root of zero at x = 0; the derivatives of what
is not taken are infinite, and zero times infinity is no number.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np

from pullback_server.compute.formats.stablehlo.syntax import Block, Operation

_ERF_INV: Final = "chlo.erf_inv"
# M. Giles, Approximating the erfinv function, 2010: the first coefficient in single and double precision.
_COEFFICIENTS: Final = (np.float32(2.81022636e-08), np.float64(-3.6444120640178196996e-21))


def recognised(block: Block, scalars: Mapping[int, Any]) -> Block:
    """A block with functions of CHLO in place of what they were taken apart into.

    Args:
        block: The block.
        scalars: The constants of one element in it and around it, by number.
    """
    search = _Search(block, scalars)
    operations = tuple(map(search.whole, block.operations))
    return block if operations == block.operations else replace(block, operations=operations)


class _Search:
    def __init__(self, block: Block, scalars: Mapping[int, Any]) -> None:
        self._makers = {number: made for made in block.operations for number in made.results}
        self._scalars = scalars

    def whole(self, operation: Operation) -> Operation:
        """The function that an operation ends, or the operation itself."""
        if operation.name != "stablehlo.select":
            return operation
        which, product, otherwise = operation.operands
        argument = self._of_unit_modulus(which)
        factors = self._operands(product, "multiply")
        if argument is None or argument not in factors or not any(map(self._is_infinite, factors)):
            return operation
        if not any(value in _COEFFICIENTS for value in self._constants_of(otherwise)):
            return operation
        return replace(
            operation,
            name=_ERF_INV,
            operands=(argument,),
            operand_types=operation.result_types,
            attributes={},
        )

    def _of_unit_modulus(self, which: int) -> int | None:
        """The x of `abs(x) equals 1`."""
        compared = self._operands(which, "compare")
        if not compared or self._makers[which].attributes["comparison_direction"] != "EQ":
            return None
        argument = self._operands(compared[0], "abs")
        return argument[0] if argument and self._scalar(compared[1]) == 1 else None

    def _is_infinite(self, number: int) -> bool:
        value = self._scalar(number)
        return isinstance(value, np.floating) and bool(np.isinf(value))

    def _constants_of(self, number: int) -> Iterator[Any]:
        """The constants that a value is made from, up to many."""
        waiting, seen = [number], {number}
        while waiting:
            maker = self._makers.get(waiting.pop())
            for operand in maker.operands if maker is not None else ():
                if operand not in seen:
                    seen.add(operand)
                    waiting.append(operand)
        return (self._scalars[one] for one in seen if one in self._scalars)

    def _scalar(self, number: int) -> Any:
        repeated = self._operands(number, "broadcast_in_dim")
        return self._scalars.get(repeated[0] if repeated else number)

    def _operands(self, number: int, name: str) -> tuple[int, ...]:
        maker = self._makers.get(number)
        return maker.operands if maker is not None and maker.name == f"stablehlo.{name}" else ()
