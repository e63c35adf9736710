"""Graphs: the request for one, and what its response says; without I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from pullback._evaluation.compilation import shared_leaves
from pullback._evaluation.wants import Argnums, Quantity, Want, resolve, want_to_wire
from pullback.errors import invalid_argument
from pullback.graphs.data import Graph
from pullback.graphs.wire import graph_from_wire
from pullback.program.signature import Signature
from pullback.v1 import graphs_pb2

Wanted: TypeAlias = Quantity | Want | Iterable[Quantity | Want]
"""One quantity, or several that one evaluation would give."""


def graph_request(
    revision: str,
    signature: Signature,
    of: Wanted,
    *,
    argnums: Argnums | None,
    batch: int | None,
    shared: Iterable[str],
    sizes: Mapping[str, int] | None,
    depth: int | None,
    merge: bool,
    compiled: bool,
) -> graphs_pb2.GetGraphRequest:
    """The request for a graph.

    Args:
        revision: The resource name of the function's revision.
        signature: Its signature.
        of: Of what.
        argnums: For wants that do not say.
        batch: The number of points; None for a single point.
        shared: The names of the arguments that are not batched.
        sizes: The sizes of the signature's symbols, where it has some.
        depth: How deep regions are shown; None is all.
        merge: Whether to leave out what is trivial.
        compiled: Whether to ask for the compiler's own analysis.

    Raises:
        InvalidArgumentError: If a want does not fit the signature, a shared argument is unknown, or the depth
            is negative.
    """
    if depth is not None and depth < 0:
        raise invalid_argument("MALFORMED_REQUEST", f"depth={depth} is negative; 0 shows no inner operations")
    resolved = resolve([of] if isinstance(of, str | Want) else of, signature, argnums)
    return graphs_pb2.GetGraphRequest(
        function=revision,
        wants=map(want_to_wire, resolved),
        batch=batch,
        shared_leaves=shared_leaves(signature, shared),
        sizes=sizes or {},
        depth=depth,
        merge_trivial=merge,
        compiled_cost=compiled,
    )


def graph_of_response(response: graphs_pb2.GetGraphResponse) -> Graph:
    """The graph of a response.

    Raises:
        MalformedProgramError: If it names an element type that is unknown here.
    """
    return graph_from_wire(response.graph, response.revision)
