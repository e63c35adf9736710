"""How much memory executables take, so that few large ones and many small ones can be kept.

XLA says it for GPUs; for CPUs it says 0. There it was measured: an executable of the Hessian of a network of
one layer takes 0.5 MiB, with what JAX keeps of its trace, and one of twelve layers 2.6 to 3.2 MiB.
"""

from __future__ import annotations

from typing import Any, Final

from jax.extend.core import ClosedJaxpr
from jax.stages import Compiled

from pullback_server.compute.planner.bodies import bodies

_LEAST_BYTES: Final = 1 << 19
_EQUATION_BYTES: Final = 1 << 13


def trace_bytes(jaxpr: ClosedJaxpr) -> int:
    """The memory that an executable of a jaxpr takes, by the number of its equations and its constants."""
    constants = sum(int(getattr(value, "nbytes", 0)) for value in jaxpr.consts)
    return _LEAST_BYTES + _EQUATION_BYTES * _equations(jaxpr.jaxpr) + constants


def code_bytes(compiled: Compiled) -> int:
    """The memory of an executable's code as XLA says it, 0 where it does not."""
    analysis = compiled.memory_analysis()
    return int(getattr(analysis, "generated_code_size_in_bytes", 0))


def _equations(jaxpr: Any) -> int:
    return sum(1 + sum(map(_equations, bodies(equation))) for equation in jaxpr.eqns)
