"""What graph is asked for."""

from __future__ import annotations

from dataclasses import dataclass

from pullback_server.model.evaluation import Compilation


@dataclass(frozen=True, slots=True)
class GraphQuery:
    """A request for the graph of what an evaluation would run.

    Attributes:
        compilation: The evaluation: program, wants, and what is batched.
        depth: How deep regions are shown; None is all.
        merge_trivial: Whether to leave out conversions, broadcasts, reshapes and their like.
        compiled_cost: Whether to compile, and to give the compiler's own analysis.
    """

    compilation: Compilation
    depth: int | None = None
    merge_trivial: bool = False
    compiled_cost: bool = False
