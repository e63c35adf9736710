"""jax.vjp: the cotangents pulled back, a leaf for each differentiable leaf of the arguments in argnums."""

from __future__ import annotations

from typing import Final

from pullback_server.compute.planner.basis import Leaves
from pullback_server.compute.planner.kinds.kind import Kind, Subject
from pullback_server.compute.planner.needs import Needs
from pullback_server.compute.planner.passes import Derivatives
from pullback_server.model.quantities import Want


def _check(want: Want, subject: Subject) -> None:
    """Every function has one: leaves without a derivative are passed over."""


def _needs(_want: Want, _subject: Subject) -> Needs:
    return Needs(pulled=True)


def _take(_want: Want, _subject: Subject, found: Derivatives) -> Leaves:
    return found.pulled


VJP: Final = Kind(_check, _needs, _take)
