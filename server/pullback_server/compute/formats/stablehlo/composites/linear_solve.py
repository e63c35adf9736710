"""Solutions of linear systems, differentiated implicitly."""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate
from typing import Any

from jax import lax

from pullback_server.compute.formats.stablehlo.building import Arrays, Emit, Routine, Scope
from pullback_server.compute.formats.stablehlo.composites.parameters import (
    Values,
    name_of,
    require_count,
    require_signature,
)
from pullback_server.compute.formats.stablehlo.failures import malformed
from pullback_server.compute.formats.stablehlo.syntax import Operation

_FUNCTIONS = ("matvec", "vecmat", "solve", "transpose_solve")


def build(operation: Operation, scope: Scope, values: Values) -> Emit:
    """`jax.lax.custom_linear_solve`.

    The operands are the constants of matvec, vecmat, solve and transpose_solve, then the right-hand side.
    """
    if len(values["constants"]) != len(_FUNCTIONS):
        raise malformed(name_of(operation), f"has constants={values['constants']}, where four counts belong")
    for count in values["constants"]:
        require_count(operation, "constants", count, len(operation.operands))
    starts = [0, *accumulate(values["constants"])]
    require_count(operation, "constants", starts[-1], len(operation.operands))
    right = operation.operand_types[starts[-1] :]
    spans = {name: slice(starts[i], starts[i + 1]) for i, name in enumerate(_FUNCTIONS)}

    def routine(name: str) -> Routine:
        found = scope.main(values[name])
        require_signature(operation, found, (*operation.operand_types[spans[name]], *right), right)
        return found

    matvec, solve = routine("matvec"), routine("solve")
    transpose_solve = None if values["transpose_solve"] is None else routine("transpose_solve")

    def emit(operands: Arrays) -> Arrays:
        def applied(found: Routine, name: str) -> Callable[[Arrays], Arrays]:
            captured = operands[spans[name]]
            return lambda vector: found(*captured, *vector)

        def solver(found: Routine, name: str) -> Callable[[Any, Arrays], Arrays]:
            function = applied(found, name)
            return lambda _, vector: function(vector)

        out = lax.custom_linear_solve(
            applied(matvec, "matvec"),
            list(operands[starts[-1] :]),
            solver(solve, "solve"),
            None if transpose_solve is None else solver(transpose_solve, "transpose_solve"),
            symmetric=values["symmetric"],
        )
        return list(out)

    return emit
