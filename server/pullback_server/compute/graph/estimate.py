"""Adds up what jaxprs cost, with what stands inside of their equations."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from operator import add

from jax.extend import core

from pullback.graphs.data import Cost
from pullback_server.compute.graph.costs.table import bytes_of, cost_of
from pullback_server.compute.graph.equations import Jaxpr, inner_of, opened


class Estimate:
    """Estimates costs, each jaxpr's once; equal calls often share one."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Jaxpr, Cost]] = {}
        self._uncounted: dict[str, None] = {}

    @property
    def uncounted(self) -> tuple[str, ...]:
        """The operations that were met and have no rule."""
        return tuple(sorted(self._uncounted))

    def jaxpr(self, jaxpr: Jaxpr) -> Cost:
        """What one run of a jaxpr costs."""
        inner = opened(jaxpr)
        if id(inner) not in self._known:
            # The jaxpr is kept, so that no other gets its id.
            self._known[id(inner)] = inner, reduce(add, map(self.equation, inner.eqns), Cost())
        return self._known[id(inner)][1]

    def equation(self, equation: core.JaxprEqn) -> Cost:
        """What one run of an equation costs.

        A loop costs its body times its trips, once where only the data say how many there are; of branches
        counts the largest of each count.
        """
        inner = inner_of(equation)
        if inner:
            costs = [self.jaxpr(part.jaxpr).times(1 if part.trips is None else part.trips) for part in inner]
            return _largest(costs) if inner[0].choice else reduce(add, costs)
        cost = cost_of(equation)
        if cost is None:
            self._uncounted[equation.primitive.name] = None
        return (cost or Cost()) + bytes_of(equation)


def _largest(costs: Iterable[Cost]) -> Cost:
    listed = list(costs)
    return Cost(
        max(cost.flops for cost in listed),
        max(cost.transcendentals for cost in listed),
        max(cost.bytes_read for cost in listed),
        max(cost.bytes_written for cost in listed),
    )
