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
    """

    quantity: Quantity
    mode: Mode = Mode.PLANNED
    order: int = 0
    argnums: tuple[int, ...] = ()
