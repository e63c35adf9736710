"""The errors of the ONNX format, in one wording."""

from __future__ import annotations

from typing import Final

from pullback_server.compute.formats.bounds import BOUNDS, too_deep
from pullback_server.compute.formats.onnx.limits import DEEPEST_NESTING
from pullback_server.errors import Reason, ServiceError, service_error

ADVICE: Final = "export the model with operators that docs/onnx.md lists"


def unsupported(operator: str, why: str, advice: str = ADVICE) -> ServiceError:
    """An operator, or a use of it, that is not served.

    Args:
        operator: The name of the operator.
        why: Why, as the rest of a sentence that starts with the name.
        advice: What to do instead.
    """
    return service_error(
        Reason.UNSUPPORTED_OPERATION, f"ONNX's {operator} {why}; {advice}", operation=operator
    )


def malformed(what: str, why: str) -> ServiceError:
    """A model that contradicts itself.

    Args:
        what: The part of the model.
        why: Why, as the rest of a sentence that starts with it.
    """
    return service_error(
        Reason.MALFORMED_PROGRAM, f"{what} {why}; check the model with onnx.checker and export it again"
    )


def require_shallow(depth: int) -> None:
    """Refuses graphs that are nested too deep.

    Raises:
        ServiceError: NESTING_TOO_DEEP.
    """
    own = DEEPEST_NESTING if BOUNDS.nesting > DEEPEST_NESTING else None
    if depth > (own or BOUNDS.nesting):
        raise too_deep("the graphs and calls of the ONNX model are nested too deep", "flatten it", limit=own)
