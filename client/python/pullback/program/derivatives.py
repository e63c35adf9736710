"""What is said of derivatives: which kinds a function has, and how large they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from pullback.program.tensors import TensorType


class DerivativeKind(StrEnum):
    """A kind of derivative."""

    FORWARD = "forward"
    """JVPs and Jacobians by columns."""
    REVERSE = "reverse"
    """Gradients, VJPs and Jacobians by rows."""
    SECOND_ORDER = "second_order"
    """Hessians and their products with vectors."""


@dataclass(frozen=True, slots=True)
class DerivativeSupport:
    """Whether a function has a kind of derivative.

    Attributes:
        kind: The kind.
        supported: Whether it has it.
        reason: Why not, where it does not.
    """

    kind: DerivativeKind
    supported: bool
    reason: str = ""


def derivative_bytes(result: Sequence[TensorType], arguments: Sequence[TensorType], order: int) -> int:
    """The bytes of a derivative with all its axes, at most, as of `jax.jacobian` applied `order` times.

    A derivative has the element type of the result or of the argument; the wider is taken.

    Args:
        result: The types of the result's leaves.
        arguments: The types of the leaves that are differentiated with respect to.
        order: How often.
    """
    widest = max((leaf.element.itemsize for leaf in (*result, *arguments)), default=0)
    columns = sum(leaf.size for leaf in arguments)
    entries: int = sum(leaf.size for leaf in result) * columns**order
    return widest * entries
