"""Functions of CHLO that portable StableHLO takes apart, recognised. Knows plain data only, not JAX.

Most can be differentiated as they are. Three cannot, since parts that a select discards have infinite
derivatives, and zero times infinity is no number:

- The inverse error function is `x * inf` where the modulus of x is 1, and a polynomial elsewhere that takes
  a root of zero at x = 0.
- The logarithm of the gamma function and its derivative take a logarithm or a quotient of a sine that
  vanishes where x is an integer. Since JAX 0.12 the former is, in single precision, a function that splits
  numbers by their bits, which have no derivatives at all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np

from pullback_server.compute.formats.stablehlo.syntax import Block, Operation

_ERF_INV: Final = "chlo.erf_inv"
# M. Giles, Approximating the erfinv function, 2010: the first coefficient in single and double precision.
_COEFFICIENTS: Final = (np.float32(2.81022636e-08), np.float64(-3.6444120640178196996e-21))


# Of Lanczos's series for the gamma function, with g = 7.
_LANCZOS: Final = (np.float32(676.5203681218851), np.float64(676.5203681218851))
_DIGAMMA: Final = "chlo.digamma"
# The function of JAX 0.12 and the parts that it calls, but for the numbers that tell copies apart.
_LGAMMA: Final = "chlo.lgamma"
_LGAMMA_NAME: Final = "lgamma_impl"
_LGAMMA_PARTS: Final = frozenset({"_lgamma_pos_small", "_lgamma_pos_large", "_lgamma_neg_reflection"})
_COPY: Final = re.compile(r"_\d+$")


def recognised(block: Block, scalars: Mapping[int, Any], callee: Callable[[str], Block]) -> Block:
    """A block with functions of CHLO in place of what they were taken apart into.

    Args:
        block: The block.
        scalars: The constants of one element in it and around it, by number.
        callee: Gives the functions that are called.
    """
    search = _Search(block, scalars, callee)
    operations = tuple(map(search.whole, block.operations))
    return block if operations == block.operations else replace(block, operations=operations)


class _Search:
    def __init__(self, block: Block, scalars: Mapping[int, Any], callee: Callable[[str], Block]) -> None:
        self._callee = callee
        self._makers = {number: made for made in block.operations for number in made.results}
        self._scalars = scalars

    def whole(self, operation: Operation) -> Operation:
        """The function that an operation ends, or the operation itself."""
        if operation.name == "func.call" and self._is_lgamma(operation):
            return replace(operation, name=_LGAMMA, attributes={})
        if operation.name != "stablehlo.select":
            return operation
        for name, argument_of in (
            (_ERF_INV, self._erf_inv),
            (_LGAMMA, self._lgamma),
            (_DIGAMMA, self._digamma),
        ):
            argument = argument_of(*operation.operands)
            if argument is not None:
                types = operation.result_types
                return replace(operation, name=name, operands=(argument,), operand_types=types, attributes={})
        return operation

    def _is_lgamma(self, call: Operation) -> bool:
        name = call.attributes["callee"]
        if _COPY.sub("", name) != _LGAMMA_NAME or call.operand_types != call.result_types:
            return False
        calls = [inner for inner in self._callee(name).operations if inner.name == "func.call"]
        return {_COPY.sub("", inner.attributes["callee"]) for inner in calls} >= _LGAMMA_PARTS

    def _erf_inv(self, which: int, product: int, otherwise: int) -> int | None:
        """The x of `abs(x) equals 1 ? x * inf : polynomial * x`."""
        argument = self._of_modulus(which, 1)
        factors = self._operands(product, "multiply")
        found = (
            argument in factors
            and any(self._scalar(factor) == np.inf for factor in factors)
            and argument in self._operands(otherwise, "multiply")
            and any(value in _COEFFICIENTS for value in self._constants_of(otherwise))
        )
        return argument if found else None

    def _lgamma(self, which: int, infinity: int, otherwise: int) -> int | None:
        """The x of `abs(x) equals inf ? inf : x < 0.5 ? reflected : constant + ... + log(series)`."""
        argument = self._of_modulus(which, np.inf)
        branches = self._below_half(otherwise, argument)
        if argument is None or self._scalar(infinity) != np.inf or not branches:
            return None
        terms = self._operands(branches[1], "add")
        return argument if any(self._operands(term, "log") for term in terms) else None

    def _digamma(self, which: int, nan: int, otherwise: int) -> int | None:
        """The x of `x <= 0 and x equals floor(x) ? NaN : x < 0.5 ? value - reflection : value`."""
        conditions = [self._operands(one, "compare") for one in self._operands(which, "and")]
        value = self._scalar(nan)
        if not conditions or not all(conditions) or value is None or not np.isnan(value):
            return None
        argument = conditions[0][0]
        branches = self._below_half(otherwise, argument)
        whole = conditions[-1] == (argument, conditions[-1][1]) and self._operands(conditions[-1][1], "floor")
        reflected = branches and self._operands(branches[0], "subtract")[:1] == branches[1:]
        return argument if whole == (argument,) and reflected else None

    def _below_half(self, number: int, argument: int | None) -> tuple[int, ...]:
        """The branches of `x < 0.5 ? ... : ...` that are made of Lanczos's series; none if it is no such."""
        which, *branches = self._operands(number, "select") or (number,)
        compared = self._operands(which, "compare")
        if not branches or not compared or compared[0] != argument or self._scalar(compared[1]) != 0.5:  # noqa: PLR2004 -- as above
            return ()
        series = any(value in _LANCZOS for value in self._constants_of(branches[1]))
        return tuple(branches) if series else ()

    def _of_modulus(self, which: int, modulus: float) -> int | None:
        """The x of `abs(x) equals modulus`."""
        compared = self._operands(which, "compare")
        if not compared or self._makers[which].attributes["comparison_direction"] != "EQ":
            return None
        argument = self._operands(compared[0], "abs")
        return argument[0] if argument and self._scalar(compared[1]) == modulus else None

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
