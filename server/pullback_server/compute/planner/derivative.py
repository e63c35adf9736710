"""What one pass over a function has to find, as data. Knows no JAX.

A derivative names what is differentiated (`source`), in which mode and along what. Derivatives are built of
one another: a Hessian is the forward derivative of the reverse derivative of the outputs. Equal ones are
found once, whoever asks for them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, auto

from pullback_server.compute.planner.sparse.coloring import Coloring
from pullback_server.model.quantities import Mode


class Along(Enum):
    """The directions in which a derivative is taken."""

    BASIS = auto()
    """Every unit vector: of the inputs in forward mode, of the source in reverse mode."""
    ONE = auto()
    """The one unit vector of a scalar source, in reverse mode: jax.grad."""
    GIVEN = auto()
    """The tangents, or the cotangents, of the request."""
    PUSHED = auto()
    """What another derivative found, as cotangents."""
    SEEDS = auto()
    """Sums of unit vectors that have a colour together; the entries are then cut from what comes out."""
    DIAGONAL = auto()
    """Every unit vector, and of each result its own entry."""
    TRACE = auto()
    """The sum of DIAGONAL."""


@dataclass(frozen=True, slots=True)
class Derivative:
    """One derivative that is to be found.

    Attributes:
        mode: Forward or reverse.
        along: The directions.
        moving: The numbers of the argument leaves with respect to which it is taken.
        source: The derivative that is differentiated once more; None for the outputs of the function.
        pushed: With PUSHED: the derivative that is pulled back.
        directions: With GIVEN: how many directions are given on a leading axis; None for one without.
        coloring: With SEEDS: which unit vectors go together.
    """

    mode: Mode
    along: Along
    moving: tuple[int, ...]
    source: Derivative | None = None
    pushed: Derivative | None = None
    directions: int | None = None
    coloring: Coloring | None = None

    @property
    def needs(self) -> tuple[Derivative, ...]:
        """The derivatives that have to be found before."""
        return tuple(other for other in (self.source, self.pushed) if other is not None)

    @property
    def sweeps(self) -> bool:
        """Whether it goes through many directions that the planner makes."""
        return self.along not in (Along.GIVEN, Along.ONE, Along.PUSHED)

    @property
    def curves(self) -> bool:
        """Whether it differentiates the outputs twice along the same directions, forward over forward."""
        return self.source is None and self.along in (Along.DIAGONAL, Along.TRACE)


def with_needs(
    derivatives: Iterable[Derivative], given: Collection[Derivative] = ()
) -> tuple[Derivative, ...]:
    """The derivatives with all that they need, each once, needs before those who need them.

    Args:
        derivatives: The derivatives.
        given: What need not be found for others, since they are given it.
    """
    found: dict[Derivative, None] = {}
    for derivative in derivatives:
        for each in _chain(derivative, given):
            found.setdefault(each)
    return tuple(found)


def _chain(derivative: Derivative, given: Collection[Derivative]) -> Iterator[Derivative]:
    for other in derivative.needs:
        if other not in given:
            yield from _chain(other, given)
    yield derivative
