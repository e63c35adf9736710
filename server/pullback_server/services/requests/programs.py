"""Checks the sizes of programs that are registered, as far as their messages say them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pullback.program.container import Program, StableHlo
from pullback.program.signature import Signature
from pullback.program.tensors import TensorType
from pullback_server.errors import Reason, exceeded, service_error
from pullback_server.services.requests.limits import Limits

# As many as NumPy's arrays have. How large a tensor of thousands is takes minutes to say, and how large one
# of hundreds is has too many digits to be said.
_MOST_AXES: Final = 64


def check_program_size(nbytes: int, limits: Limits) -> None:
    """Refuses a serialized program that is too large.

    Raises:
        ServiceError: PROGRAM_TOO_LARGE.
    """
    if nbytes > limits.program_bytes:
        raise exceeded(
            Reason.PROGRAM_TOO_LARGE,
            f"the program has {nbytes} bytes",
            value=nbytes,
            limit=limits.program_bytes,
            setting="max_program_bytes",
            advice="pass large arrays as arguments instead of constants",
        )


def check_constant_size(nbytes: int, limits: Limits) -> None:
    """Refuses a constant that is too large.

    Raises:
        ServiceError: CONSTANTS_TOO_LARGE.
    """
    if nbytes > limits.constant_bytes:
        raise exceeded(
            Reason.CONSTANTS_TOO_LARGE,
            f"the constant has {nbytes} bytes",
            value=nbytes,
            limit=limits.constant_bytes,
            setting="max_constant_bytes",
            advice="pass the array as an argument, or split it",
        )


def check_program(program: Program, limits: Limits) -> None:
    """Refuses a program with too many inputs, or with constants that are too large.

    Raises:
        ServiceError: TOO_MANY_INPUTS, MALFORMED_PROGRAM or CONSTANTS_TOO_LARGE.
    """
    check_signature(program.signature, limits)
    constants = program.body.constants if isinstance(program.body, StableHlo) else ()
    _check_axes(constant.type for constant in constants)
    for constant in constants:
        check_constant_size(constant.type.nbytes, limits)
    total = sum(constant.type.nbytes for constant in constants)
    if total > limits.program_constant_bytes:
        raise exceeded(
            Reason.CONSTANTS_TOO_LARGE,
            f"the program's {len(constants)} constants have {total} bytes together",
            value=total,
            limit=limits.program_constant_bytes,
            setting="max_program_constant_bytes",
            advice="pass arrays as arguments, or split the function",
        )


def check_signature(signature: Signature, limits: Limits) -> None:
    """Refuses a function of too many tensors, or with tensors of too many axes.

    Raises:
        ServiceError: TOO_MANY_INPUTS or MALFORMED_PROGRAM.
    """
    _check_count(len(signature.leaves), "tensors", limits)
    _check_axes((*signature.leaves, *(signature.result.leaves if signature.result else ())))


def check_arguments(count: int, limits: Limits) -> None:
    """Refuses a function of so many arguments that it is not worth reading what they are.

    Raises:
        ServiceError: TOO_MANY_INPUTS.
    """
    _check_count(count, "arguments", limits)


def _check_axes(types: Iterable[TensorType]) -> None:
    axes = max((len(each.shape) for each in types), default=0)
    if axes > _MOST_AXES:
        raise service_error(
            Reason.MALFORMED_PROGRAM,
            f"the program has a tensor of {axes} axes, and may have {_MOST_AXES}; join some of them",
        )


def _check_count(count: int, what: str, limits: Limits) -> None:
    if count > limits.inputs:
        raise exceeded(
            Reason.TOO_MANY_INPUTS,
            f"the function takes {count} {what}",
            value=count,
            limit=limits.inputs,
            setting="max_inputs",
            advice="stack tensors of one shape into one",
        )
