"""A small graph with everything in it that can be shown."""

from __future__ import annotations

import pytest

from pullback.graphs.data import Cost, Edge, Graph, Node, NodeKind, Origin, Region, Rule
from pullback.program.tensors import parse_tensor_type


@pytest.fixture(scope="session")
def graph() -> Graph:
    """A loop over the sine, of an argument with a name that needs quoting."""
    vector, flag = (parse_tensor_type("f64[3]"),), parse_tensor_type("i1[3]")
    sine = Cost(0, 3, 24, 24)
    return Graph(
        nodes=(
            Node(NodeKind.ARGUMENT, """x['say "hi"\\']""", 0, vector),
            Node(
                NodeKind.OPERATION,
                "scan",
                0,
                (*vector, flag),
                sine.times(20_000),
                1,
                "transpose(jvp(pullback.scan))",
                {"length": "20000"},
                rule=Rule(Origin.LIBRARY, "pullback.scan"),
            ),
            Node(NodeKind.ARGUMENT, "0", 1, vector, runs=20_000),
            Node(NodeKind.OPERATION, "sin", 1, vector, sine, 20_000),
            Node(NodeKind.RESULT, "0", 1, vector, runs=20_000),
            Node(NodeKind.CONSTANT, "", 0, vector),
            Node(NodeKind.OPERATION, "mul", 0, vector, Cost(3, 0, 32, 24), literals={1: "2.0"}),
            Node(NodeKind.OPERATION, "while", 0, vector, Cost(1, 0, 24, 24)),
            Node(NodeKind.RESULT, "value 0", 0, vector),
        ),
        edges=(
            Edge(0, 0, 1, 0),
            Edge(2, 0, 3, 0),
            Edge(3, 0, 4, 0),
            Edge(1, 0, 6, 0),
            Edge(6, 0, 7, 1),
            Edge(5, 0, 7, 0),
            Edge(7, 0, 8, 0),
        ),
        regions=(Region(None, "main"), Region(1, "body", 20_000), Region(7, "body", None)),
        total=Cost(4, 60_000, 480_056, 480_048),
        uncounted=("unheard_of",),
        compiled=Cost(3, 60_000, 24, 24),
        revision="functions/f/revisions/0123",
    )
