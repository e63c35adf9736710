"""Graphs as text, a line for each node."""

from __future__ import annotations

from collections.abc import Iterator

from pullback.graphs.data import Graph, Node, NodeKind
from pullback.graphs.labels import notes_of, operands_of, spell_cost, spell_region

_Operands = dict[int, tuple[int, int]]


def as_text(graph: Graph) -> str:
    """The nodes in their order, what is inside of a node indented below it; then the totals."""
    contents: list[list[int]] = [[] for _ in graph.regions]
    inside: list[list[int]] = [[] for _ in graph.nodes]
    for number, node in enumerate(graph.nodes):
        contents[node.region].append(number)
    for number, region in enumerate(graph.regions):
        if region.owner is not None:
            inside[region.owner].append(number)
    operands = operands_of(graph)

    def lines(region: int, depth: int) -> Iterator[str]:
        for number in contents[region]:
            yield "  " * depth + _line(graph, number, operands[number])
            for inner in inside[number]:
                yield "  " * (depth + 1) + spell_region(graph.regions[inner]) + ":"
                yield from lines(inner, depth + 2)

    return "\n".join([*lines(0, 0), *notes_of(graph)]) + "\n"


def _line(graph: Graph, number: int, operands: _Operands) -> str:
    node = graph.nodes[number]
    types = ", ".join(map(str, node.results))
    match node.kind:
        case NodeKind.ARGUMENT | NodeKind.CONSTANT:
            return f"%{number}: {types} = {node.kind.value} {node.name}".rstrip()
        case NodeKind.RESULT:
            return f"result {node.name}: {types} = {_operands(graph, node, operands)}"
        case NodeKind.OPERATION:
            call = f"%{number}: {types} = {node.name}({_operands(graph, node, operands)})"
            return "  ".join([call, *_remarks(node)])


def _operands(graph: Graph, node: Node, operands: _Operands) -> str:
    given = {place: _reference(graph, *source) for place, source in operands.items()} | dict(node.literals)
    return ", ".join(given[place] for place in sorted(given))


def _reference(graph: Graph, source: int, result: int) -> str:
    return f"%{source}" if len(graph.nodes[source].results) == 1 else f"%{source}.{result}"


def _remarks(node: Node) -> Iterator[str]:
    if node.attributes:
        yield "{" + ", ".join(f"{name}={value}" for name, value in node.attributes.items()) + "}"
    cost = spell_cost(node.cost)
    runs = f" x {node.runs}" if node.runs != 1 else ""
    if cost:
        yield f"[{cost}{runs}]"
    if node.rule is not None:
        yield f"<{node.rule.origin.value} {node.rule.name}>"
    if "(" in node.scope:
        yield f"# {node.scope}"
