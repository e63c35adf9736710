"""How much of a program is followed, whatever its format: the settings, and errors of what is over them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pullback_server.errors import Reason, ServiceError, exceeded

NESTING: Final = "max_nesting"
OPERATIONS: Final = "max_operations"


@dataclass(slots=True)
class Bounds:
    """How large programs may be. Set once, before the first program is read.

    Attributes:
        operations: The most operations of one program.
        nesting: How deep it may be nested.
    """

    operations: int = 1_000_000
    nesting: int = 64


BOUNDS: Final = Bounds()
"""Those of this process."""


def too_many_operations(what: str, value: int, advice: str) -> ServiceError:
    """The error of a program with more operations than are followed.

    Args:
        what: What has so many, with the number.
        value: How many.
        advice: What to do.
    """
    return exceeded(
        Reason.TOO_MANY_OPERATIONS,
        what,
        value=value,
        limit=BOUNDS.operations,
        setting=OPERATIONS,
        advice=advice,
    )


def too_deep(what: str, advice: str, *, value: int | None = None, limit: int | None = None) -> ServiceError:
    """The error of a program that is nested deeper than is followed.

    Args:
        what: What is nested too deep.
        advice: What to do.
        value: How deep, as far as it was followed; one more than the limit where left out.
        limit: A format's own limit, where it has one.
    """
    own = BOUNDS.nesting if limit is None else limit
    return exceeded(
        Reason.NESTING_TOO_DEEP,
        what,
        value=own + 1 if value is None else value,
        limit=own,
        setting=NESTING if limit is None else "",
        advice=advice,
    )
