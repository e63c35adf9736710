"""What the planner knows of a quantity."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from pullback.program.tensors import TensorType
from pullback_server.compute.planner.derivative import Derivative
from pullback_server.compute.planner.sparse.coloring import Coloring
from pullback_server.model.quantities import Mode, Want


@dataclass(frozen=True)
class Subject:
    """What is differentiated, and with respect to what.

    Attributes:
        arguments: The types of the leaves of the arguments in argnums.
        results: The types of the result's leaves.
        numbers: The numbers of the leaves of the arguments in argnums.
        color: Finds and colours the pattern of a sparse derivative of an order, 1 or 2, in a mode.
    """

    arguments: tuple[TensorType, ...]
    results: tuple[TensorType, ...]
    numbers: tuple[int, ...]
    color: Callable[[int, Mode], Coloring]

    @cached_property
    def moving(self) -> tuple[int, ...]:
        """The numbers of those leaves that have derivatives."""
        pairs = zip(self.numbers, self.arguments, strict=True)
        return tuple(number for number, leaf in pairs if leaf.element.differentiable)

    @property
    def is_scalar(self) -> bool:
        """Whether the result is one real scalar."""
        if len(self.results) != 1 or self.results[0].shape:
            return False
        element = self.results[0].element
        return element.differentiable and not element.is_complex


@dataclass(frozen=True, slots=True)
class Kind:
    """One quantity.

    Attributes:
        check: Refuses a want that this function has no such quantity for, with a ServiceError.
        derivative: What has to be found for a want that was checked; None for the value.
    """

    check: Callable[[Want, Subject], None]
    derivative: Callable[[Want, Subject], Derivative | None]
