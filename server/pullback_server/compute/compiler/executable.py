"""An executable with the constants that it takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import jax
from jax.extend.core import ClosedJaxpr, jaxpr_as_fun
from jax.stages import Compiled

# From here on an array is passed to executables, which share it, and not built into each of them.
_LARGE_BYTES: Final = 1 << 18


@dataclass(frozen=True, slots=True)
class Executable:
    """What runs on the device.

    Attributes:
        compiled: Takes the constants, then the inputs.
        constants: Arrays that other executables may hold as well.
        nbytes: The memory that it takes by itself; an estimate where the device does not say.
        needed: The memory of the device that a run needs; None where XLA does not say.
    """

    compiled: Compiled
    constants: tuple[jax.Array, ...] = ()
    nbytes: int = 0
    needed: int | None = None

    def __call__(self, *inputs: Any) -> list[jax.Array]:
        """Starts a run."""
        results: list[jax.Array] = self.compiled(*self.constants, *inputs)
        return results


def set_apart(jaxpr: ClosedJaxpr) -> tuple[tuple[Any, ...], Callable[..., list[jax.Array]]]:
    """The large constants of a jaxpr, and a function of them and of the jaxpr's inputs."""
    large = [number for number, value in enumerate(jaxpr.consts) if value.nbytes >= _LARGE_BYTES]

    def function(*given: Any) -> list[jax.Array]:
        constants = list(jaxpr.consts)
        for number, value in zip(large, given[: len(large)], strict=True):
            constants[number] = value
        results: list[jax.Array] = jaxpr_as_fun(ClosedJaxpr(jaxpr.jaxpr, constants))(*given[len(large) :])
        return results

    return tuple(jaxpr.consts[number] for number in large), function
