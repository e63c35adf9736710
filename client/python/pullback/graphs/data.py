"""What a graph of operations is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

from pullback.program.tensors import TensorType

LARGEST: Final = 2**63 - 1


class NodeKind(StrEnum):
    """What a node stands for."""

    ARGUMENT = "argument"
    """An input of its region."""
    CONSTANT = "constant"
    """An array that the program contains."""
    OPERATION = "operation"
    """An operation."""
    RESULT = "result"
    """An output of its region."""


class Origin(StrEnum):
    """Where a rule of differentiation comes from."""

    EXPORTED = "exported"
    """The program brought it: a `custom_jvp` or `custom_vjp` of its author or of a library in use."""
    LIBRARY = "library"
    """JAX's own, for an operation that plain StableHLO has not, and that the program named."""
    LIFTED = "lifted"
    """JAX's own, for the operation that an operation of StableHLO became."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Where the derivative of an operation comes from.

    Attributes:
        origin: Where from.
        name: The composite that carries it, such as `pullback.custom_jvp`, or the operation that JAX has
            it for.
    """

    origin: Origin
    name: str


@dataclass(frozen=True, slots=True)
class Cost:
    """What something costs, by its types alone: before the compiler fuses anything.

    Attributes:
        flops: Additions, multiplications and their like on real numbers of floating point.
        transcendentals: Evaluations of `exp`, `sin`, `sqrt` and their like, which are not among the flops.
        bytes_read: The bytes of all operands.
        bytes_written: The bytes of all results.
    """

    flops: int = 0
    transcendentals: int = 0
    bytes_read: int = 0
    bytes_written: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            min(self.flops + other.flops, LARGEST),
            min(self.transcendentals + other.transcendentals, LARGEST),
            min(self.bytes_read + other.bytes_read, LARGEST),
            min(self.bytes_written + other.bytes_written, LARGEST),
        )

    def times(self, count: int) -> Cost:
        """The cost of so many runs; what would not fit into 64 bits stays at the largest number that does."""
        return Cost(
            min(self.flops * count, LARGEST),
            min(self.transcendentals * count, LARGEST),
            min(self.bytes_read * count, LARGEST),
            min(self.bytes_written * count, LARGEST),
        )

    @property
    def nbytes(self) -> int:
        """The bytes that are read and written."""
        return min(self.bytes_read + self.bytes_written, LARGEST)


@dataclass(frozen=True, slots=True)
class Region:
    """What stands inside a node: the body of a loop, a branch, a function that is called.

    Attributes:
        owner: The node that it belongs to; None for the whole.
        name: What it is of its node, such as `body` or `branch 1`.
        trips: How often it runs in one run of its node; None where only the data say. A branch runs once
            at most.
    """

    owner: int | None
    name: str
    trips: int | None = 1


@dataclass(frozen=True, slots=True)
class Node:
    """One node.

    Attributes:
        kind: What it stands for.
        name: An operation's name, which is that of JAX's primitive; what an argument or a result is called.
        region: The number of the region that it stands in.
        results: The types of its results; of a result, the type of what it takes.
        cost: What one run of it costs, with everything inside.
        runs: How often it runs in one evaluation, as far as is known: a loop with an unknown number of
            trips counts once, and so does every branch.
        scope: The transformations that it comes from, such as `transpose(jvp())` for what runs backwards.
        attributes: Parameters of the operation, as text for people.
        literals: Operands that are numbers, as text, by their places.
        rule: Where its derivative comes from, in a graph of the function itself; None elsewhere.
    """

    kind: NodeKind
    name: str
    region: int
    results: tuple[TensorType, ...]
    cost: Cost = field(default_factory=Cost)
    runs: int = 1
    scope: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    literals: Mapping[int, str] = field(default_factory=dict)
    rule: Rule | None = None


@dataclass(frozen=True, slots=True)
class Edge:
    """Whose result is taken.

    Attributes:
        source: The number of the node that gives.
        result: Which of its results.
        target: The number of the node that takes.
        operand: As which of its operands.
    """

    source: int
    result: int
    target: int
    operand: int


@dataclass(frozen=True, slots=True)
class Graph:
    """The operations that compute a function or its derivatives.

    It shows what is computed before the compiler fuses and schedules it. A node's number is its place in
    `nodes`, a region's its place in `regions`; a node stands after those that it depends on.

    Attributes:
        nodes: The nodes.
        edges: Who takes whose results.
        regions: The regions; the first is the whole.
        total: The estimated cost of one evaluation: of a batch, if one was asked for.
        uncounted: The operations whose cost is not known and counts as zero but for the bytes.
        compiled: What the compiler says of the whole; None where it was not asked. It counts after fusion,
            a loop's body perhaps once only, and nothing inside of library calls.
        revision: The resource name of the revision that it is of; empty in a worker, which knows no names.
    """

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    regions: tuple[Region, ...]
    total: Cost
    uncounted: tuple[str, ...] = ()
    compiled: Cost | None = None
    revision: str = ""

    @property
    def trips_known(self) -> bool:
        """Whether every loop that is shown has a number of trips; otherwise costs are lower bounds."""
        return all(region.trips is not None for region in self.regions)

    def path(self, number: int) -> str:
        """Where a node stands, such as `scan/body/cond/branch 1`; empty outside of any region."""
        region = self.regions[self.nodes[number].region]
        if region.owner is None:
            return ""
        outer, own = self.path(region.owner), f"{self.nodes[region.owner].name}/{region.name}"
        return f"{outer}/{own}" if outer else own

    def text(self) -> str:
        """The graph as text, a line for each node, what is inside of a node indented below it."""
        from pullback.graphs.text import as_text  # noqa: PLC0415 -- it knows this module

        return as_text(self)

    def dot(self) -> str:
        """The graph in the DOT language of Graphviz, a cluster for each region."""
        from pullback.graphs.dot import as_dot  # noqa: PLC0415 -- it knows this module

        return as_dot(self)

    def json(self) -> str:
        """The graph as JSON, with the names of these attributes; types are spelled `f64[8]`."""
        from pullback.graphs.plain import as_plain  # noqa: PLC0415 -- it knows this module

        return json.dumps(as_plain(self))

    def svg(self, path: str | Path | None = None) -> str:
        """The graph as a drawing.

        Args:
            path: Where to write it as well; None is nowhere.

        Raises:
            DrawingError: If the library `graphviz` or Graphviz's program `dot` is missing, or `dot` fails.
            OSError: If the file cannot be written.
        """
        from pullback.graphs.drawing import as_svg  # noqa: PLC0415 -- it knows this module

        drawing = as_svg(self)
        if path is not None:
            Path(path).write_text(drawing, encoding="utf-8")
        return drawing
