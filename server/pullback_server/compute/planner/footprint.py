"""How many bytes the intermediate values of a function take, read off its jaxpr.

An estimate from above: XLA fuses, and keeps less. It decides how many directions are taken at a time.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from pullback.program.tensors import TensorType
from pullback_server.compute.abstract import abstract
from pullback_server.compute.planner.bodies import bodies
from pullback_server.compute.programs import Function


@dataclass(frozen=True, slots=True)
class Footprint:
    """The bytes of a function's intermediate values.

    Attributes:
        live: Those that are needed at one time, at most.
        tape: All of them, which is what reverse mode keeps.
    """

    live: int
    tape: int


def footprint_of(function: Function, inputs: Iterable[TensorType]) -> Footprint:
    """The footprint of a function at inputs of given types."""
    jaxpr = jax.make_jaxpr(function)(*map(abstract, inputs)).jaxpr
    return Footprint(_live(jaxpr), _tape(jaxpr))


def _tape(jaxpr: Any) -> int:
    return sum(_kept(equation) for equation in jaxpr.eqns)


def _kept(equation: Any) -> int:
    inner = list(bodies(equation))
    if not inner:
        return _nbytes(equation.outvars)
    times = equation.params.get("length", 1)
    kept: int = times * max(map(_tape, inner))
    return max(kept, _nbytes(equation.outvars))


def _live(jaxpr: Any) -> int:
    """The largest sum of what has been computed and is still needed, over all equations."""
    last = {id(var): place for place, equation in enumerate(jaxpr.eqns) for var in equation.invars}
    last.update((id(var), len(jaxpr.eqns)) for var in jaxpr.outvars)
    ends: dict[int, int] = {}
    now = highest = 0
    for place, equation in enumerate(jaxpr.eqns):
        now += _nbytes(equation.outvars)
        highest = max(highest, now + max(map(_live, bodies(equation)), default=0))
        for var in equation.outvars:
            end = max(last.get(id(var), place), place)
            ends[end] = ends.get(end, 0) + _nbytes([var])
        now -= ends.pop(place, 0)
    return highest


def _nbytes(variables: Iterable[Any]) -> int:
    return sum(
        math.prod(var.aval.shape) * np.dtype(var.aval.dtype).itemsize
        for var in variables
        if hasattr(var.aval, "shape") and isinstance(var.aval.dtype, np.dtype)
    )
