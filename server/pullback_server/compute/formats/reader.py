"""Reads a program of any format. Knows which formats there are, and nothing of their insides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import assert_never

import jax

from pullback.program.container import Formula, Program, StableHlo
from pullback_server.compute.formats.formula.lift import lift as lift_formula
from pullback_server.compute.formats.stablehlo.lift import lift as lift_stablehlo

Traceable = Callable[[Sequence[jax.Array]], list[jax.Array]]
"""A function of the leaves of all arguments that gives the leaves of the result, and that every JAX
transformation can be applied to."""


def read(program: Program) -> Traceable:
    """Reads a program into a function that JAX can trace.

    Raises:
        ServiceError: MALFORMED_PROGRAM, FORMULA_ERROR or UNSUPPORTED_OPERATION, by the format.
    """
    match program.body:
        case StableHlo():
            return lift_stablehlo(program.body, program.signature)
        case Formula():
            return lift_formula(program.body, program.signature)
        case _:
            assert_never(program.body)
