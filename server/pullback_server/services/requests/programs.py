"""Checks the sizes of programs that are registered, as far as their messages say them."""

from __future__ import annotations

from pullback.program.container import Program, StableHlo
from pullback.program.signature import Signature
from pullback_server.errors import Reason, exceeded
from pullback_server.services.requests.limits import Limits


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
        ServiceError: TOO_MANY_INPUTS or CONSTANTS_TOO_LARGE.
    """
    check_inputs(program.signature, limits)
    constants = program.body.constants if isinstance(program.body, StableHlo) else ()
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


def check_inputs(signature: Signature, limits: Limits) -> None:
    """Refuses a function of too many tensors.

    Raises:
        ServiceError: TOO_MANY_INPUTS.
    """
    count = len(signature.leaves)
    if count > limits.inputs:
        raise exceeded(
            Reason.TOO_MANY_INPUTS,
            f"the function takes {count} tensors",
            value=count,
            limit=limits.inputs,
            setting="max_inputs",
            advice="stack tensors of one shape into one",
        )
