"""Puts sizes in the place of a signature's symbols, from what a request has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pullback.codec.tensors import Tensor
from pullback.program.dimensions import SizeError
from pullback.program.errors import SizeMismatchError
from pullback.program.signature import Signature
from pullback.program.sizes import bind_sizes
from pullback_server.errors import Reason, service_error

Sizes = tuple[tuple[str, int], ...]
"""Symbols with their sizes, in the order of their names."""


def signature_of_arguments(signature: Signature, arguments: Sequence[Tensor]) -> Signature:
    """The signature at the sizes that the arguments of a request have.

    Args:
        signature: The function's signature.
        arguments: The arguments as they came; another number of them than the signature has is refused later.

    Raises:
        ServiceError: SHAPE_MISMATCH if they contradict each other.
    """
    if not signature.symbols or len(arguments) != len(signature.leaves):
        return signature
    try:
        return _at(signature, bind_sizes(signature, [tensor.shape for tensor in arguments]))
    except SizeMismatchError as error:
        raise service_error(
            Reason.SHAPE_MISMATCH,
            str(error),
            argument=error.path,
            expected=error.expected,
            actual=error.actual,
        ) from error


def signature_at_sizes(signature: Signature, sizes: Mapping[str, int]) -> tuple[Signature, Sizes]:
    """The signature at sizes that a request names.

    Raises:
        ServiceError: MALFORMED_REQUEST if a symbol has no size, or a name is no symbol; SHAPE_MISMATCH if no
            array has such a size.
    """
    if set(sizes) != set(signature.symbols):
        symbols = ", ".join(signature.symbols)
        expected = f"one for each of {symbols}" if symbols else "none"
        raise service_error(
            Reason.MALFORMED_REQUEST,
            f"sizes were given for {sorted(sizes)}, and the signature needs {expected}",
        )
    return _at(signature, sizes), tuple(sorted(sizes.items()))


def _at(signature: Signature, sizes: Mapping[str, int]) -> Signature:
    spelled = ", ".join(f"{symbol} = {size}" for symbol, size in sorted(sizes.items()))
    try:
        found = signature.at(sizes)
    except SizeError as error:
        raise service_error(
            Reason.SHAPE_MISMATCH, f"the signature has no sizes for {spelled}: {error}", sizes=spelled
        ) from error
    result = found.result.leaves if found.result is not None else ()
    for leaf in (*found.leaves, *result):
        if any(size < 0 for size in leaf.shape):
            raise service_error(
                Reason.SHAPE_MISMATCH, f"a size would be negative for {spelled}: {leaf}", sizes=spelled
            )
    return found
