"""Makes the graph of a jaxpr."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from jax.extend import core

from pullback.graphs.data import Cost, Edge, Graph, Node, NodeKind, Region, Rule
from pullback_server.compute.graph.attributes import attributes_of
from pullback_server.compute.graph.equations import (
    Jaxpr,
    inner_of,
    opened,
    type_of,
    types_of,
    without_dead_code,
)
from pullback_server.compute.graph.estimate import Estimate
from pullback_server.compute.graph.limits import MOST_BUILT, MOST_NODES
from pullback_server.compute.graph.rules import has_own_rule, rule_of
from pullback_server.errors import Reason, exceeded

_ROOT: Final = "main"
Origins = dict[Any, tuple[int, int]]
"""For each variable the node that gives it and which of its results."""


@dataclass(frozen=True, slots=True)
class View:
    """What is shown of a graph.

    Attributes:
        arguments: What the inputs are called; those before them are arrays that the program contains.
        results: What the outputs are called.
        depth: How deep regions are shown; None is all.
        rules: Whether to say where derivatives come from.
    """

    arguments: Sequence[str]
    results: Sequence[str]
    depth: int | None = None
    rules: bool = False


@dataclass(frozen=True, slots=True)
class _Place:
    """Where nodes are made.

    Attributes:
        region: The region.
        depth: How deep it is; the whole is 0.
        runs: How often it runs in one evaluation.
        scope: The scopes around it.
        rules: Whether its operations' derivatives are taken, and so have rules to show.
    """

    region: int
    depth: int
    runs: int
    scope: str
    rules: bool


def build(jaxpr: Jaxpr, view: View) -> Graph:
    """The graph of a closed jaxpr, without what no result needs."""
    return _Builder(view).graph(without_dead_code(jaxpr))


@dataclass(slots=True)
class _Builder:
    view: View
    estimate: Estimate = field(default_factory=Estimate)
    nodes: list[Node] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    regions: list[Region] = field(default_factory=list)

    def graph(self, jaxpr: Jaxpr) -> Graph:
        self.regions.append(Region(None, _ROOT))
        place = _Place(0, 0, 1, "", self.view.rules)
        self._fill(jaxpr, place, self.view.arguments, self.view.results)
        total = self.estimate.jaxpr(jaxpr)
        return Graph(
            tuple(self.nodes), tuple(self.edges), tuple(self.regions), total, self.estimate.uncounted
        )

    def _fill(self, jaxpr: Jaxpr, place: _Place, arguments: Sequence[str], results: Sequence[str]) -> None:
        inner, origins = opened(jaxpr), Origins()
        constants = len(inner.invars) - len(arguments)
        for variable in (*inner.constvars, *inner.invars[:constants]):
            origins[variable] = self._node(NodeKind.CONSTANT, "", place, variable), 0
        for variable, name in zip(inner.invars[constants:], arguments, strict=True):
            origins[variable] = self._node(NodeKind.ARGUMENT, name, place, variable), 0
        for equation in inner.eqns:
            self._operation(equation, place, origins)
        for variable, name in zip(inner.outvars, results, strict=True):
            self._connect(self._node(NodeKind.RESULT, name, place, variable), [variable], origins)

    def _node(self, kind: NodeKind, name: str, place: _Place, variable: Any) -> int:
        literals = {0: _spell(variable)} if isinstance(variable, core.Literal) else {}
        self.nodes.append(
            Node(kind, name, place.region, (type_of(variable),), runs=place.runs, literals=literals)
        )
        return len(self.nodes) - 1

    def _operation(self, equation: core.JaxprEqn, place: _Place, origins: Origins) -> None:
        scope = "/".join(filter(None, [place.scope, str(equation.source_info.name_stack)]))
        number = len(self.nodes)
        _require_bounded(number)
        self.nodes.append(
            Node(
                NodeKind.OPERATION,
                equation.primitive.name,
                place.region,
                types_of(equation.outvars),
                self.estimate.equation(equation),
                place.runs,
                scope,
                attributes_of(equation),
                _literals(equation.invars),
                self._rule(equation, place),
            )
        )
        self._connect(number, equation.invars, origins)
        for result, variable in enumerate(equation.outvars):
            origins[variable] = number, result
        if self.view.depth is None or place.depth < self.view.depth:
            self._enter(number, equation, place, scope)

    def _enter(self, owner: int, equation: core.JaxprEqn, place: _Place, scope: str) -> None:
        for inner in inner_of(equation):
            self.regions.append(Region(owner, inner.name, inner.trips))
            runs = Cost(flops=place.runs).times(1 if inner.trips is None else inner.trips).flops
            rules = place.rules and not has_own_rule(equation)
            within = _Place(len(self.regions) - 1, place.depth + 1, runs, scope, rules)
            jaxpr = opened(inner.jaxpr)
            self._fill(jaxpr, within, _numbers(jaxpr.invars), _numbers(jaxpr.outvars))

    def _rule(self, equation: core.JaxprEqn, place: _Place) -> Rule | None:
        # Its own scope only: what stands inside of a composite is not the composite.
        return rule_of(equation, str(equation.source_info.name_stack)) if place.rules else None

    def _connect(self, target: int, variables: Sequence[Any], origins: Origins) -> None:
        for operand, variable in enumerate(variables):
            if not isinstance(variable, core.Literal):
                source, result = origins[variable]
                self.edges.append(Edge(source, result, target, operand))


def _require_bounded(count: int) -> None:
    """Ends what nested calls of one function may have made endless, long before memory does."""
    if count >= MOST_BUILT:
        raise exceeded(
            Reason.TOO_MANY_OPERATIONS,
            f"the graph has {count + 1} nodes or more",
            value=count + 1,
            limit=MOST_NODES,
            setting="",
            advice="show less depth",
        )


def _literals(variables: Sequence[Any]) -> Mapping[int, str]:
    return {i: _spell(each) for i, each in enumerate(variables) if isinstance(each, core.Literal)}


def _spell(literal: Any) -> str:
    return str(np.asarray(literal.val))


def _numbers(variables: Sequence[Any]) -> list[str]:
    return [str(number) for number in range(len(variables))]
