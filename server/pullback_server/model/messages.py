"""What front and worker say to each other: requests and answers, matched by id, and notices.

The bytes of tensors do not stand in these messages: the small ones follow in the same frame (`frames`),
the large ones lie in memory that both have mapped. What evaluations have in common is said once, as a
kind with a number.
"""

from __future__ import annotations

from typing import Final

import msgspec

from pullback.graphs.data import Graph
from pullback.program.derivatives import DerivativeSupport
from pullback.program.tensors import TensorType
from pullback_server.model.devices import WorkerDescription
from pullback_server.model.evaluation import Kind
from pullback_server.model.graphs import GraphQuery
from pullback_server.model.quantities import Want

INLINE_BYTES: Final = 1 << 15
"""Tensors of fewer bytes follow their message, since memory that is shared costs more than it saves them."""

Span = tuple[int, int, int]
"""A part of a segment: the segment's number, where the part begins, and how many bytes it has."""


class LoadProgram(msgspec.Struct, frozen=True, tag=True, array_like=True):
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


class LoadConstant(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Front: here is a constant that a program needs; its bytes follow. Answered with ConstantLoaded."""

    id: int
    digest: str


class ProgramLoaded(msgspec.Struct, frozen=True, tag=True, array_like=True):
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


class ConstantsMissing(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Worker: the program needs these constants first; then it can be loaded."""

    id: int
    digests: tuple[str, ...]


class ConstantLoaded(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Worker: the constant is here, for a program that is loaded next."""

    id: int


class Compile(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Front: compile ahead; answered with Compiled, ProgramMissing or Failed."""

    id: int
    digest: str
    wants: tuple[Want, ...]
    points: int | None
    shared_leaves: tuple[int, ...]
    sizes: tuple[tuple[str, int], ...] = ()


class Compiled(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Worker: the executable is ready; `cached` if it was before."""

    id: int
    cached: bool


class GetGraph(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Front: give a graph; answered with GraphGiven, ProgramMissing or Failed."""

    id: int
    query: GraphQuery


class GraphGiven(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Worker: the graph that was asked for."""

    id: int
    graph: Graph


class DefineKind(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Front, without an answer: from now on the number means the kind."""

    number: int
    kind: Kind


class ForgetKind(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Front, without an answer: the number is not used again until it is defined anew."""

    number: int


class AttachSegment(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Front, without an answer: here is a segment; its descriptor comes with the frame.

    Attributes:
        number: What it is called from now on.
        nbytes: How many bytes it has.
    """

    number: int
    nbytes: int


class DetachSegment(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Front, without an answer: the segment is not named again."""

    number: int


class MakeWay(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Front, without an answer: several share the worker; what is not short leaves processors to others."""


class Abandon(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Front, without an answer of its own: nobody waits for this request; if it has not begun, it need not.

    It is answered all the same, with Failed if it was not begun.
    """

    id: int


class Warm(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Front: compile what a run would need; answered with Compiled, ProgramMissing or Failed."""

    id: int
    kind: int
    points: int | None


class Run(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Front: evaluate; answered with Ran, ProgramMissing or Failed.

    Attributes:
        id: The number of the request.
        kind: The number of its kind.
        points: The size of the batch; None where nothing is batched.
        inputs: Where the elements of each input lie; None where they follow. Empty where all follow.
        results: Where results may be written.
    """

    id: int
    kind: int
    points: int | None
    inputs: tuple[Span | None, ...] = ()
    results: Span | None = None


class Ran(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Worker: the results.

    Attributes:
        id: The number of the request.
        types: For each want the types of its leaves, encoded by themselves: a reader knows most already.
        offsets: For each leaf its offset in the segment of the request's results; None where it follows.
            Empty where all follow.
        compile: Seconds of compiling.
        execute: Seconds of running on the device.
        queue: Seconds of waiting in the worker.
        batch: How many points ran together.
        padding: How many of these were padding.
    """

    id: int
    types: msgspec.Raw
    offsets: tuple[int | None, ...] = ()
    compile: float = 0.0
    execute: float = 0.0
    queue: float = 0.0
    batch: int = 0
    padding: int = 0


class ProgramMissing(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Worker: the program was never loaded, or was dropped for want of memory."""

    id: int


class Failed(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Worker: the request failed. The fields are those of ServiceError."""

    id: int
    reason: str
    message: str
    metadata: dict[str, str]


class Ready(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Worker: the first message, once JAX has its device."""

    description: WorkerDescription


Notice = DefineKind | ForgetKind | AttachSegment | DetachSegment | MakeWay | Abandon
Request = LoadProgram | LoadConstant | Compile | GetGraph | Warm | Run
Answer = (
    ProgramLoaded | ConstantsMissing | ConstantLoaded | Compiled | GraphGiven | Ran | ProgramMissing | Failed
)
Message = Notice | Request | Answer | Ready
