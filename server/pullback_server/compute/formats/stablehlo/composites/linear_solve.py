"""Solutions of linear systems, differentiated implicitly."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
from pullback_server.compute.formats.stablehlo.syntax import Operation, Types

_FUNCTIONS = ("matvec", "vecmat", "solve", "transpose_solve")


def build(operation: Operation, scope: Scope, values: Values) -> Emit:
    """`jax.lax.custom_linear_solve`.

    The operands are the constants of matvec, vecmat, solve and transpose_solve, then the right-hand side.
    """
    spans = _spans(operation, values["constants"])
    first = max(span.stop for span in spans.values())
    right = operation.operand_types[first:]
    # What the solvers give beside the solution.
    extra = operation.result_types[len(right) :]

    def routine(name: str, results: Types) -> Routine:
        found = scope.main(values[name])
        require_signature(operation, found, (*operation.operand_types[spans[name]], *right), results)
        return found

    matvec, solve = routine("matvec", right), routine("solve", (*right, *extra))
    transpose_solve = (
        None if values["transpose_solve"] is None else routine("transpose_solve", (*right, *extra))
    )

    def emit(operands: Arrays) -> Arrays:
        def applied(found: Routine, name: str) -> Callable[[Arrays], Arrays]:
            captured = operands[spans[name]]
            return lambda vector: found(*captured, *vector)

        def solver(found: Routine, name: str) -> Callable[[Any, Arrays], Any]:
            function = applied(found, name)

            def solution(_: Any, vector: Arrays) -> Any:
                outs = list(function(vector))
                return (outs[: len(right)], outs[len(right) :]) if extra else outs

            return solution

        out = lax.custom_linear_solve(
            applied(matvec, "matvec"),
            list(operands[first:]),
            solver(solve, "solve"),
            None if transpose_solve is None else solver(transpose_solve, "transpose_solve"),
            symmetric=values["symmetric"],
            has_aux=bool(extra),
        )
        return [*out[0], *out[1]] if extra else list(out)

    return emit


def _spans(operation: Operation, counts: Sequence[int]) -> Mapping[str, slice]:
    """Which operands are the constants of each function."""
    if len(counts) != len(_FUNCTIONS):
        raise malformed(name_of(operation), f"has constants={counts}, where four counts belong")
    for count in (*counts, sum(counts)):
        require_count(operation, "constants", count, len(operation.operands))
    starts = [0, *accumulate(counts)]
    return {name: slice(starts[i], starts[i + 1]) for i, name in enumerate(_FUNCTIONS)}
