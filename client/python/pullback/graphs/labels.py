"""How numbers and nodes of a graph are spelled for people."""

from __future__ import annotations

from typing import Final

from pullback.graphs.data import Cost, Graph, Region

_STEP: Final = 1000
_PREFIXES: Final = ("", "k", "M", "G", "T", "P", "E")
_EXACT_BELOW: Final = 10_000


def spell_count(count: int) -> str:
    """A count in a few characters, such as `1234` or `12.3M`."""
    if count < _EXACT_BELOW:
        return str(count)
    value, power = float(count), 0
    while value >= _STEP and power < len(_PREFIXES) - 1:
        value, power = value / _STEP, power + 1
    return f"{value:.3g}{_PREFIXES[power]}"


def spell_cost(cost: Cost) -> str:
    """A cost in one line, such as `flops 24, transcendentals 8, bytes 128`, without what is zero."""
    parts = {"flops": cost.flops, "transcendentals": cost.transcendentals, "bytes": cost.nbytes}
    return ", ".join(f"{name} {spell_count(count)}" for name, count in parts.items() if count)


def spell_region(region: Region) -> str:
    """A region with its trips, such as `body x 100`."""
    if region.trips is None:
        return f"{region.name} x ?"
    return region.name if region.trips == 1 else f"{region.name} x {region.trips}"


def operands_of(graph: Graph) -> list[dict[int, tuple[int, int]]]:
    """For each node, by the operand's place, the node that gives it and which of its results."""
    operands: list[dict[int, tuple[int, int]]] = [{} for _ in graph.nodes]
    for edge in graph.edges:
        operands[edge.target][edge.operand] = (edge.source, edge.result)
    return operands


def notes_of(graph: Graph) -> list[str]:
    """What holds of the whole: its cost, the compiler's word, and where the estimate falls short."""
    notes = [f"total: {spell_cost(graph.total) or 'nothing'}"]
    if graph.compiled is not None:
        notes.append(f"compiled: {spell_cost(graph.compiled) or 'nothing'}")
    if not graph.trips_known:
        notes.append("a loop's trips depend on the data, and are counted once: costs are lower bounds")
    if graph.uncounted:
        notes.append(f"not counted but for the bytes: {', '.join(graph.uncounted)}")
    return notes
