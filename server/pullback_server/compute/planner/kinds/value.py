"""The result of the function itself."""

from __future__ import annotations

from typing import Final

from pullback_server.compute.planner.kinds.kind import Kind, Subject
from pullback_server.model.quantities import Want


def _check(want: Want, subject: Subject) -> None:
    """Every function has a value."""


def _derivative(_want: Want, _subject: Subject) -> None:
    """Every pass gives it."""


VALUE: Final = Kind(_check, _derivative)
