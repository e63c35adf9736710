"""What the planner knows of a quantity."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pullback.program.tensors import TensorType
from pullback_server.compute.planner.basis import Leaves
from pullback_server.compute.planner.needs import Needs
from pullback_server.compute.planner.passes import Derivatives
from pullback_server.model.quantities import Want


@dataclass(frozen=True, slots=True)
class Subject:
    """What is differentiated, and with respect to what.

    Attributes:
        arguments: The types of the leaves of the arguments in argnums.
        results: The types of the result's leaves.
    """

    arguments: tuple[TensorType, ...]
    results: tuple[TensorType, ...]


@dataclass(frozen=True, slots=True)
class Kind:
    """One quantity.

    Attributes:
        check: Refuses a want that this function has no such quantity for, with a ServiceError.
        needs: What one pass has to give for a want that was checked.
        take: Takes the leaves of the quantity from what the pass gave.
    """

    check: Callable[[Want, Subject], None]
    needs: Callable[[Want, Subject], Needs]
    take: Callable[[Want, Subject, Derivatives], Leaves]
