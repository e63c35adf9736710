"""Graphs as protobuf messages, and back."""

from __future__ import annotations

from typing import Final, cast

from pullback.graphs.data import Cost, Edge, Graph, Node, NodeKind, Origin, Region, Rule
from pullback.program.wire import tensor_type_from_wire, tensor_type_to_wire
from pullback.v1 import graphs_pb2 as pb

_KIND: Final = "KIND_"
_ORIGIN: Final = "ORIGIN_"
# The stubs call an enum's numbers a class of their own; at run time they are plain integers.
_KINDS: Final = {kind: cast("pb.Node.Kind", pb.Node.Kind.Value(_KIND + kind.name)) for kind in NodeKind}
_ORIGINS: Final = {
    origin: cast("pb.Rule.Origin", pb.Rule.Origin.Value(_ORIGIN + origin.name)) for origin in Origin
}
_KIND_OF: Final[dict[int, NodeKind]] = {number: kind for kind, number in _KINDS.items()}
_ORIGIN_OF: Final[dict[int, Origin]] = {number: origin for origin, number in _ORIGINS.items()}


def graph_to_wire(graph: Graph) -> pb.Graph:
    """The message of a graph; the revision stands beside it."""
    return pb.Graph(
        nodes=map(_node_to_wire, graph.nodes),
        edges=[
            pb.Edge(source=e.source, result=e.result, target=e.target, operand=e.operand) for e in graph.edges
        ],
        regions=[pb.Region(owner=r.owner, name=r.name, trips=r.trips) for r in graph.regions],
        total=_cost_to_wire(graph.total),
        uncounted=graph.uncounted,
        compiled=None if graph.compiled is None else _cost_to_wire(graph.compiled),
    )


def graph_from_wire(message: pb.Graph, revision: str) -> Graph:
    """The graph of a message.

    A kind or an origin that is unknown here, as of a newer server, is read as that of an operation, and
    as a lifted rule.

    Raises:
        MalformedProgramError: If it names an element type that is unknown here.
    """
    return Graph(
        nodes=tuple(map(_node_from_wire, message.nodes)),
        edges=tuple(Edge(e.source, e.result, e.target, e.operand) for e in message.edges),
        regions=tuple(map(_region_from_wire, message.regions)),
        total=_cost_from_wire(message.total),
        uncounted=tuple(message.uncounted),
        compiled=_cost_from_wire(message.compiled) if message.HasField("compiled") else None,
        revision=revision,
    )


def _node_to_wire(node: Node) -> pb.Node:
    return pb.Node(
        kind=_KINDS[node.kind],
        name=node.name,
        region=node.region,
        results=map(tensor_type_to_wire, node.results),
        cost=_cost_to_wire(node.cost),
        runs=node.runs,
        scope=node.scope,
        attributes=node.attributes,
        literals=node.literals,
        rule=None if node.rule is None else pb.Rule(origin=_ORIGINS[node.rule.origin], name=node.rule.name),
    )


def _node_from_wire(message: pb.Node) -> Node:
    return Node(
        kind=_KIND_OF.get(message.kind, NodeKind.OPERATION),
        name=message.name,
        region=message.region,
        results=tuple(map(tensor_type_from_wire, message.results)),
        cost=_cost_from_wire(message.cost),
        runs=message.runs,
        scope=message.scope,
        attributes=dict(message.attributes),
        literals=dict(message.literals),
        rule=_rule_from_wire(message.rule) if message.HasField("rule") else None,
    )


def _rule_from_wire(message: pb.Rule) -> Rule:
    return Rule(_ORIGIN_OF.get(message.origin, Origin.LIFTED), message.name)


def _region_from_wire(message: pb.Region) -> Region:
    return Region(
        owner=message.owner if message.HasField("owner") else None,
        name=message.name,
        trips=message.trips if message.HasField("trips") else None,
    )


def _cost_to_wire(cost: Cost) -> pb.Cost:
    return pb.Cost(
        flops=cost.flops,
        transcendentals=cost.transcendentals,
        bytes_read=cost.bytes_read,
        bytes_written=cost.bytes_written,
    )


def _cost_from_wire(message: pb.Cost) -> Cost:
    return Cost(message.flops, message.transcendentals, message.bytes_read, message.bytes_written)
