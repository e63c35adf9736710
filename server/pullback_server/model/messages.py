"""What front and worker say to each other, one request and one answer at a time, matched by id.

The bytes of tensors do not stand in these messages; they follow in the same frame (`frames`), in the
order of the tensor types.
"""

from __future__ import annotations

import msgspec

from pullback.graphs.data import Graph
from pullback.program.tensors import TensorType
from pullback_server.model.devices import WorkerDescription
from pullback_server.model.evaluation import Kind, Timing
from pullback_server.model.functions import DerivativeSupport
from pullback_server.model.graphs import GraphQuery
from pullback_server.model.quantities import Want


class LoadProgram(msgspec.Struct, frozen=True, tag=True):
    """Front: keep this program; answered with ProgramLoaded or Failed.

    Attributes:
        id: The number of the request.
        digest: The program's digest.
        program: The serialized program.
        survey: Whether to find out which derivatives it has.
    """

    id: int
    digest: str
    program: bytes
    survey: bool = False


class LoadConstant(msgspec.Struct, frozen=True, tag=True):
    """Front: here is a constant that a program needs; its bytes follow. Answered with ConstantLoaded."""

    id: int
    digest: str


class ProgramLoaded(msgspec.Struct, frozen=True, tag=True):
    """Worker: the program is readable and traceable.

    Attributes:
        id: The number of the request.
        result: The types of the leaves of its result.
        signature: The serialized signature of a program that says it itself; empty for others.
        derivatives: Which derivatives it has, if that was asked; without what was not tried.
    """

    id: int
    result: tuple[TensorType, ...]
    signature: bytes = b""
    derivatives: tuple[DerivativeSupport, ...] = ()


class ConstantsMissing(msgspec.Struct, frozen=True, tag=True):
    """Worker: the program needs these constants first; then it can be loaded."""

    id: int
    digests: tuple[str, ...]


class ConstantLoaded(msgspec.Struct, frozen=True, tag=True):
    """Worker: the constant is here, for a program that is loaded next."""

    id: int


class Compile(msgspec.Struct, frozen=True, tag=True):
    """Front: compile ahead; answered with Compiled, ProgramMissing or Failed."""

    id: int
    digest: str
    wants: tuple[Want, ...]
    points: int | None
    shared_leaves: tuple[int, ...]
    sizes: tuple[tuple[str, int], ...] = ()


class Compiled(msgspec.Struct, frozen=True, tag=True):
    """Worker: the executable is ready; `cached` if it was before."""

    id: int
    cached: bool


class GetGraph(msgspec.Struct, frozen=True, tag=True):
    """Front: give a graph; answered with GraphGiven, ProgramMissing or Failed."""

    id: int
    query: GraphQuery


class GraphGiven(msgspec.Struct, frozen=True, tag=True):
    """Worker: the graph that was asked for."""

    id: int
    graph: Graph


class Evaluate(msgspec.Struct, frozen=True, tag=True):
    """Front: evaluate; answered with Evaluated, ProgramMissing or Failed.

    The elements of the inputs follow.
    """

    id: int
    kind: Kind
    points: int | None


class Evaluated(msgspec.Struct, frozen=True, tag=True):
    """Worker: the results; their tensors follow."""

    id: int
    results: tuple[tuple[TensorType, ...], ...]
    timing: Timing


class ProgramMissing(msgspec.Struct, frozen=True, tag=True):
    """Worker: the program was never loaded, or was dropped for want of memory."""

    id: int


class Failed(msgspec.Struct, frozen=True, tag=True):
    """Worker: the request failed. The fields are those of ServiceError."""

    id: int
    reason: str
    message: str
    metadata: dict[str, str]


class Ready(msgspec.Struct, frozen=True, tag=True):
    """Worker: the first message, once JAX has its device."""

    description: WorkerDescription


Request = LoadProgram | LoadConstant | Compile | GetGraph | Evaluate
Answer = (
    ProgramLoaded
    | ConstantsMissing
    | ConstantLoaded
    | Compiled
    | GraphGiven
    | Evaluated
    | ProgramMissing
    | Failed
)
Message = Request | Answer | Ready
