"""`stablehlo.while`: a scan where the program says the number of trips, else a loop with checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import jax

from pullback_server.compute.formats.stablehlo.building import Arrays, Body, Build, Emit, Scope, Side
from pullback_server.compute.formats.stablehlo.loops.counting import count, invariants_of
from pullback_server.compute.formats.stablehlo.loops.reversal import Condition, Loop, State, Trip, run
from pullback_server.compute.formats.stablehlo.loops.scanning import build_counted
from pullback_server.compute.formats.stablehlo.loops.schedule import Schedule
from pullback_server.compute.formats.stablehlo.syntax import Operation


def _while(operation: Operation, scope: Scope) -> Emit:
    counted = count(operation, scope.constants(operation), scope.block)
    if counted is not None:
        return build_counted(operation, scope, counted)
    return _build_uncounted(operation, scope)


def _build_uncounted(operation: Operation, scope: Scope) -> Emit:
    plain = scope.two_sided()
    layout = _Layout(operation)
    goes_on = layout.condition(plain.body(operation.blocks[0]))
    trip = layout.trip(plain.body(operation.blocks[1]))
    if scope.side is not Side.REVERSE:
        return lambda operands: layout.whole(operands, run(goes_on, trip, *layout.parts(operands)))
    reversed_trip = layout.trip(scope.body(operation.blocks[1]))
    loop = Loop(goes_on, trip, reversed_trip, Schedule.of(scope.max_trips))
    return lambda operands: layout.whole(operands, loop(*layout.parts(operands)))


class _Layout:
    """What of a loop's operands does not change, and what is its state.

    Args:
        operation: The `while`.
    """

    def __init__(self, operation: Operation) -> None:
        self._operation = operation
        invariants = invariants_of(operation.blocks[1])
        self._fixed = sorted(invariants)
        self._moving = [i for i in range(len(operation.operands)) if i not in invariants]

    def parts(self, operands: Arrays) -> tuple[State, State]:
        """What does not change, captured values included, and the state at the start."""
        captured = operands[len(self._operation.operands) :]
        fixed = [*(operands[i] for i in self._fixed), *captured]
        return fixed, [operands[i] for i in self._moving]

    def whole(self, operands: Arrays, state: State) -> list[jax.Array]:
        """The results of the operation."""
        results = dict(zip(self._moving, state, strict=True))
        return [results.get(i, operands[i]) for i in range(len(self._operation.operands))]

    def condition(self, body: Body) -> Condition:
        """The condition as a function of what does not change and the state."""
        return lambda fixed, state: self._apply(body, fixed, state)[0]

    def trip(self, body: Body) -> Trip:
        """One trip as a function of what does not change and the state."""

        def trip(fixed: State, state: State) -> State:
            results = self._apply(body, fixed, state)
            return [results[i] for i in self._moving]

        return trip

    def _apply(self, body: Body, fixed: State, state: State) -> list[jax.Array]:
        values = dict(zip((*self._fixed, *self._moving), (*fixed[: len(self._fixed)], *state), strict=True))
        known = dict(zip(self._operation.captures, fixed[len(self._fixed) :], strict=True))
        captured = [known[number] for number in body.block.captures]
        return body(captured, [values[i] for i in range(len(values))])


BUILDERS: Final[Mapping[str, Build]] = {"stablehlo.while": _while}
