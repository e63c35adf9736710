"""The errors of the lifter, in one wording."""

from __future__ import annotations

from typing import Final

from pullback_server.compute.formats.stablehlo.syntax import Operation
from pullback_server.errors import Reason, ServiceError, service_error

ADVICE: Final = "express it with the operations that docs/stablehlo.md lists, or export the function from JAX"


def unsupported(operation: str, why: str, advice: str = ADVICE) -> ServiceError:
    """An operation that is not served.

    Args:
        operation: The name of the operation.
        why: Why, as the rest of a sentence that starts with the name.
        advice: What to do instead.
    """
    return service_error(Reason.UNSUPPORTED_OPERATION, f"{operation} {why}; {advice}", operation=operation)


def malformed(what: str, why: str) -> ServiceError:
    """A program that contradicts itself.

    Args:
        what: The operation or the part of the program.
        why: Why, as the rest of a sentence that starts with it.
    """
    return service_error(Reason.MALFORMED_PROGRAM, f"{what} {why}; export the program again", operation=what)


def require(holds: bool, operation: Operation, why: str) -> None:
    """Raises that an operation is malformed, unless something holds."""
    if not holds:
        raise malformed(operation.name, why)
