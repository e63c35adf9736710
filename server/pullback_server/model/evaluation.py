"""What is computed, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from pullback.program.tensors import TensorType
from pullback_server.model.memory import Place
from pullback_server.model.quantities import Want

Buffer = bytes | bytearray | memoryview
Data = Buffer | Place
"""Bytes, or where they lie in memory that the processes share."""


class Tensor(NamedTuple):
    """An array: its type and its elements, raw, little-endian and row-major.

    Attributes:
        type: Element type and shape.
        data: The elements; `type.nbytes` long.
        place: Where they lie, of a result that lies where its evaluation said; None elsewhere.
    """

    type: TensorType
    data: Buffer
    place: Place | None = None


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Kind:
    """What evaluations have in common that can run together; compared by identity.

    Whoever checks requests makes one for all that are alike, and keeps it: what depends on the kind alone
    is then made once, wherever requests come through.

    Attributes:
        digest: The program.
        wants: What is wanted; at least one.
        arguments: The type of each leaf of the arguments, at one point.
        tangents: That of each differentiable leaf of the arguments in argnums of JVP, HVP and GGN_VP.
        cotangents: That of each differentiable leaf of the result, for VJP.
        batched: For each input, arguments first, whether it has a leading axis of points, or is shared by
            them; None where nothing is batched.
        result_bytes: The bytes of the results at one point, as far as they are known before; 0 where not.
        result_leaves: How many leaves the results have, as far as that is known before; 0 where not.
    """

    digest: str
    wants: tuple[Want, ...]
    arguments: tuple[TensorType, ...]
    tangents: tuple[TensorType, ...] = ()
    cotangents: tuple[TensorType, ...] = ()
    batched: tuple[bool, ...] | None = None
    result_bytes: int = 0
    result_leaves: int = 0

    @property
    def inputs(self) -> tuple[TensorType, ...]:
        """The types of all inputs at one point: arguments, tangents, cotangents."""
        return (*self.arguments, *self.tangents, *self.cotangents)

    def types(self, points: int | None) -> tuple[TensorType, ...]:
        """The types of all inputs of an evaluation at so many points."""
        if self.batched is None or points is None:
            return self.inputs
        pairs = zip(self.inputs, self.batched, strict=True)
        return tuple(leaf.batched(points) if leads else leaf for leaf, leads in pairs)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One request for quantities of one program, checked against its signature.

    Attributes:
        kind: What it has in common with others.
        inputs: The elements of each input, raw, little-endian and row-major.
        points: The size of the batch; None where nothing is batched.
        results: Where the results may be written; None where that is left to the engine.
    """

    kind: Kind
    inputs: tuple[Data, ...]
    points: int | None = None
    results: Place | None = None


@dataclass(frozen=True, slots=True)
class Timing:
    """Where the time went, in seconds, and how many points ran.

    Attributes:
        compile: Compiling; zero where the executable was there.
        execute: Running on the device, transfers included.
        queue: Waiting until a device was free.
        batch: How many points ran together, those of others and padding included; 0 for a point alone.
        padding: How many of these were padding.
        worker: Which worker ran them; empty where that is not known, or where there were several.
    """

    compile: float = 0.0
    execute: float = 0.0
    queue: float = 0.0
    batch: int = 0
    padding: int = 0
    worker: str = ""


class Outcome(NamedTuple):
    """What came of an evaluation.

    Attributes:
        results: For each want, its leaves.
        timing: Where the time went.
    """

    results: tuple[tuple[Tensor, ...], ...]
    timing: Timing


@dataclass(frozen=True, slots=True)
class Compilation:
    """A request to compile ahead.

    Attributes:
        digest: The program.
        wants: What will be wanted together.
        points: The size of the batch; None for a point.
        shared_leaves: For a batch: the leaves of the arguments that will not be batched.
        sizes: The sizes of the program's symbols, in the order of their names.
    """

    digest: str
    wants: tuple[Want, ...]
    points: int | None = None
    shared_leaves: tuple[int, ...] = ()
    sizes: tuple[tuple[str, int], ...] = ()
