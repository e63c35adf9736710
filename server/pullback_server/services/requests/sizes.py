"""Predicts how many bytes a request's results have, before anything runs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from pullback.program.derivatives import derivative_bytes
from pullback.program.signature import Signature
from pullback_server.model.quantities import Quantity, Want


def result_bytes(wants: Iterable[Want], signature: Signature, points: int | None) -> int:
    """The bytes of all results' elements, taking the wider type where a derivative has two.

    Args:
        wants: What is wanted.
        signature: The function's signature, with its result.
        points: The size of the batch; None where nothing is batched.
    """
    each = sum(_want_bytes(want, signature) for want in wants)
    return each if points is None else each * points


def result_leaves(wants: Iterable[Want], signature: Signature) -> int:
    """How many leaves all results have; 0 where that is not known, as where entries are sparse.

    Args:
        wants: What is wanted.
        signature: The function's signature, with its result.
    """
    wants = tuple(wants)
    if any(want.sparse for want in wants):
        return 0
    return sum(_leaves(want, signature) for want in wants)


def _leaves(want: Want, signature: Signature) -> int:
    result = signature.result.leaves if signature.result else ()
    arguments = [leaf for argnum in want.argnums for leaf in signature.arguments[argnum].leaves]
    match want.quantity:
        case Quantity.VALUE | Quantity.LAPLACIAN:
            return len(result)
        case Quantity.JVP:
            return sum(leaf.element.differentiable for leaf in result)
        case Quantity.GRADIENT | Quantity.VJP | Quantity.GGN_VP:
            return sum(leaf.element.differentiable for leaf in arguments)
        case Quantity.JACOBIAN | Quantity.HVP | Quantity.HESSIAN_DIAG:
            return len(result) * len(arguments)
        case Quantity.HESSIAN:
            return len(result) * len(arguments) ** 2
        case Quantity.DERIVATIVE:
            leaves: int = len(result) * len(arguments) ** want.order
            return leaves
        case _:
            assert_never(want.quantity)


def _want_bytes(want: Want, signature: Signature) -> int:
    if want.sparse:
        # How many entries it has only the worker knows, which has a limit of its own.
        return 0
    return _dense_bytes(want, signature) * (1 if want.directions is None else want.directions)


def _dense_bytes(want: Want, signature: Signature) -> int:
    result = signature.result.leaves if signature.result else ()
    arguments = [leaf for argnum in want.argnums for leaf in signature.arguments[argnum].leaves]
    match want.quantity:
        case Quantity.VALUE | Quantity.JVP | Quantity.LAPLACIAN:
            return sum(leaf.nbytes for leaf in result)
        case Quantity.GRADIENT | Quantity.VJP | Quantity.HVP | Quantity.GGN_VP:
            return sum(leaf.nbytes for leaf in arguments)
        case Quantity.JACOBIAN | Quantity.HESSIAN_DIAG:
            return derivative_bytes(result, arguments, 1)
        case Quantity.HESSIAN:
            return derivative_bytes(result, arguments, 2)
        case Quantity.DERIVATIVE:
            return derivative_bytes(result, arguments, want.order)
        case _:
            assert_never(want.quantity)
