"""The result of the function itself."""

from __future__ import annotations

from typing import Final

from pullback_server.compute.planner.basis import Leaves
from pullback_server.compute.planner.kinds.kind import Kind, Subject
from pullback_server.compute.planner.needs import Needs
from pullback_server.compute.planner.passes import Derivatives
from pullback_server.model.quantities import Want


def _check(want: Want, subject: Subject) -> None:
    """Every function has a value."""


def _needs(_want: Want, _subject: Subject) -> Needs:
    return Needs()


def _take(_want: Want, _subject: Subject, found: Derivatives) -> Leaves:
    return found.value


VALUE: Final = Kind(_check, _needs, _take)
