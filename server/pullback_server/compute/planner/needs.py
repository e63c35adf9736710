"""What quantities need of one pass over a function. Knows no JAX."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Needs:
    """What one pass has to give, beside the value. Needs of several wants are joined with `|`.

    Attributes:
        order: The highest order of derivatives by jax.jacfwd over jax.jacrev; 1 is jax.jacrev.
        first: The first derivative in reverse mode, however it is made.
        first_pushed: The first derivative's change along the tangents; implies `first`.
        pulled: The cotangents pulled back (jax.vjp).
        columns: The Jacobian in forward mode (jax.jacfwd).
        pushed: The result's change along the tangents (jax.jvp).
    """

    order: int = 0
    first: bool = False
    first_pushed: bool = False
    pulled: bool = False
    columns: bool = False
    pushed: bool = False

    def __or__(self, other: Needs) -> Needs:
        return Needs(
            max(self.order, other.order),
            self.first or other.first,
            self.first_pushed or other.first_pushed,
            self.pulled or other.pulled,
            self.columns or other.columns,
            self.pushed or other.pushed,
        )

    @property
    def has_first(self) -> bool:
        """Whether the first derivative in reverse mode is needed for anything."""
        return self.order > 0 or self.first or self.first_pushed

    @property
    def reverse(self) -> bool:
        """Whether a reverse pass is needed."""
        return self.has_first or self.pulled

    @property
    def along_tangents(self) -> bool:
        """Whether a forward pass along the tangents is needed."""
        return self.pushed or self.first_pushed

    @property
    def along_basis(self) -> bool:
        """Whether forward passes along every direction are needed."""
        return self.columns or self.order > 1
