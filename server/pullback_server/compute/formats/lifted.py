"""What a format makes of a program."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import jax

Traceable = Callable[[Sequence[jax.Array]], list[jax.Array]]
"""A function of the leaves of all arguments that gives the leaves of the result, and that JAX can trace."""


@dataclass(frozen=True, slots=True)
class Lifted:
    """A program in two callables that compute the same: JAX may need other operations in reverse mode.

    Attributes:
        forward: For passes in which nothing is reversed; has every forward derivative.
        reverse: For passes with reverse mode (`jax.vjp`) directly around it, and forward mode only around
            that. It need have no forward derivative of its own. The same object as `forward` where JAX
            reverses that.
    """

    forward: Traceable
    reverse: Traceable

    @classmethod
    def alike(cls, function: Traceable) -> Lifted:
        """A program whose one callable has every derivative."""
        return cls(function, function)

    def __call__(self, leaves: Sequence[jax.Array]) -> list[jax.Array]:
        """Evaluates the program."""
        return self.forward(leaves)
