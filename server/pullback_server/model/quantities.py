"""What can be wanted of a function."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Quantity(StrEnum):
    """What of a function is wanted, by JAX's names. See `proto/pullback/v1/evaluation.proto`."""

    VALUE = "value"
    GRADIENT = "gradient"
    JACOBIAN = "jacobian"
    HESSIAN = "hessian"
    JVP = "jvp"
    VJP = "vjp"
    HVP = "hvp"
    DERIVATIVE = "derivative"
    GGN_VP = "ggn_vp"
    HESSIAN_DIAG = "hessian_diag"
    LAPLACIAN = "laplacian"

    @property
    def takes_tangents(self) -> bool:
        """Whether it is along tangents that a request gives."""
        return self in (Quantity.JVP, Quantity.HVP, Quantity.GGN_VP)

    @property
    def takes_directions(self) -> bool:
        """Whether it can be asked for many tangents or cotangents at once."""
        return self.takes_tangents or self is Quantity.VJP

    def levels(self, order: int) -> int:
        """How many modes it can be given: one for each time that it differentiates; 0 where none."""
        match self:
            case Quantity.HESSIAN | Quantity.HESSIAN_DIAG | Quantity.LAPLACIAN:
                return 2
            case Quantity.DERIVATIVE:
                return order
            case _:
                return 0


class Mode(StrEnum):
    """Forward or reverse mode."""

    PLANNED = "planned"
    FORWARD = "forward"
    REVERSE = "reverse"


@dataclass(frozen=True, slots=True)
class Want:
    """One quantity that is wanted.

    Attributes:
        quantity: What is wanted.
        mode: The mode of a Jacobian.
        order: The order of a DERIVATIVE, from 1; 0 elsewhere.
        argnums: The arguments to differentiate with respect to; never empty but for VALUE, since
            defaults are filled in where requests come in.
        modes: The modes of a HESSIAN, HESSIAN_DIAG, LAPLACIAN or DERIVATIVE, innermost first; empty where
            the planner chooses.
        directions: For JVP, VJP, HVP and GGN_VP: how many tangents or cotangents each point has, on a
            leading axis of theirs; None for one without such an axis.
        sparse: For JACOBIAN and HESSIAN: entries with their coordinates instead of a dense array.
    """

    quantity: Quantity
    mode: Mode = Mode.PLANNED
    order: int = 0
    argnums: tuple[int, ...] = ()
    modes: tuple[Mode, ...] = ()
    directions: int | None = None
    sparse: bool = False
