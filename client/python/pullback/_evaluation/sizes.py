"""How many bytes the results of an evaluation take, known before it is sent; without I/O."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import assert_never

from pullback._evaluation.results import require_result
from pullback._evaluation.wants import ResolvedWant
from pullback.memory.blocks import ALIGNMENT
from pullback.program.derivatives import derivative_bytes
from pullback.program.signature import Signature
from pullback.program.tensors import TensorType


class Room:
    """What the results of some wants take in memory, at most: each leaf begins at a multiple of 64.

    Args:
        wants: What is wanted; what is sparse is left out, since only the server knows its size.
        signature: The function's, without symbols.
    """

    __slots__ = ("_leaves", "_point")

    def __init__(self, wants: Iterable[ResolvedWant], signature: Signature) -> None:
        sizes = [_size(want, signature) for want in wants if not want.sparse]
        self._point = sum(nbytes for nbytes, _ in sizes)
        self._leaves = sum(leaves for _, leaves in sizes)

    def nbytes(self, points: int | None) -> int:
        """The bytes at so many points; None is one without an axis for it."""
        return self._point * (1 if points is None else points) + ALIGNMENT * self._leaves


def _size(want: ResolvedWant, signature: Signature) -> tuple[int, int]:
    """The bytes at one point, and the number of leaves."""
    result = require_result(signature).leaves
    arguments = tuple(leaf for number in want.argnums for leaf in signature.arguments[number].leaves)
    nbytes, leaves = _dense(want, result, arguments)
    return nbytes * (1 if want.directions is None else want.directions), leaves


def _dense(
    want: ResolvedWant, result: Sequence[TensorType], arguments: Sequence[TensorType]
) -> tuple[int, int]:
    match want.quantity:
        case "value" | "jvp" | "laplacian":
            return _sum(result)
        case "grad" | "vjp" | "ggn_vp":
            return _sum(arguments)
        case "jacobian" | "jacfwd" | "jacrev" | "hvp" | "hessian_diag":
            return _derivative(result, arguments, 1)
        case "hessian":
            return _derivative(result, arguments, 2)
        case "derivative":
            return _derivative(result, arguments, want.order)
        case _:
            assert_never(want.quantity)


def _sum(leaves: Sequence[TensorType]) -> tuple[int, int]:
    return sum(leaf.nbytes for leaf in leaves), len(leaves)


def _derivative(result: Sequence[TensorType], arguments: Sequence[TensorType], order: int) -> tuple[int, int]:
    return derivative_bytes(result, arguments, order), len(result) * len(arguments) ** order
