"""Predicts how many bytes the results of one point have, so that chunks are cut by what comes back, too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import assert_never

from pullback._evaluation.results import require_result
from pullback._evaluation.wants import ResolvedWant
from pullback.program.signature import Signature
from pullback.program.tensors import TensorType


def result_bytes(wants: Iterable[ResolvedWant], signature: Signature) -> int:
    """The bytes of all results at one point, taking the wider type where a derivative has two.

    Of a sparse want it counts one entry for each row and column: how many there are only the server knows.

    Args:
        wants: What is wanted.
        signature: The function's, without symbols.
    """
    return sum(_want_bytes(want, signature) for want in wants)


def _want_bytes(want: ResolvedWant, signature: Signature) -> int:
    result = require_result(signature).leaves
    arguments = [leaf for number in want.argnums for leaf in signature.arguments[number].leaves]
    if want.sparse:
        return _nbytes(result) + _nbytes(arguments)
    return _dense_bytes(want, result, arguments) * (1 if want.directions is None else want.directions)


def _dense_bytes(want: ResolvedWant, result: Sequence[TensorType], arguments: Sequence[TensorType]) -> int:
    match want.quantity:
        case "value" | "jvp" | "laplacian":
            return _nbytes(result)
        case "grad" | "vjp" | "hvp" | "ggn_vp":
            return _nbytes(arguments)
        case "jacobian" | "jacfwd" | "jacrev" | "hessian_diag":
            return _derivative_bytes(result, arguments, 1)
        case "hessian":
            return _derivative_bytes(result, arguments, 2)
        case "derivative":
            return _derivative_bytes(result, arguments, want.order)
        case _:
            assert_never(want.quantity)


def _nbytes(leaves: Iterable[TensorType]) -> int:
    return sum(leaf.nbytes for leaf in leaves)


def _derivative_bytes(result: Sequence[TensorType], arguments: Sequence[TensorType], order: int) -> int:
    widest = max((leaf.element.itemsize for leaf in (*result, *arguments)), default=0)
    rows, columns = (sum(leaf.size for leaf in leaves) for leaves in (result, arguments))
    entries: int = rows * columns**order
    return widest * entries
