"""What is computed, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass

from pullback.program.tensors import TensorType
from pullback_server.model.quantities import Want

Buffer = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True)
class Tensor:
    """An array: its type and its elements, raw, little-endian and row-major.

    Attributes:
        type: Element type and shape.
        data: The elements; `type.nbytes` long.
    """

    type: TensorType
    data: Buffer


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One request for quantities of one program, checked against its signature.

    Attributes:
        digest: The program.
        wants: What is wanted; at least one.
        arguments: A tensor for each leaf of the arguments, batched (one more leading axis) or shared.
        tangents: A tensor for each differentiable leaf of the arguments in argnums of JVP and HVP.
        cotangents: A tensor for each differentiable leaf of the result, for VJP.
        points: The size of the batch; None where nothing is batched.
    """

    digest: str
    wants: tuple[Want, ...]
    arguments: tuple[Tensor, ...]
    tangents: tuple[Tensor, ...] = ()
    cotangents: tuple[Tensor, ...] = ()
    points: int | None = None


@dataclass(frozen=True, slots=True)
class Timing:
    """Where the time went, in seconds.

    Attributes:
        compile: Compiling; zero where the executable was there.
        execute: Running on the device, transfers included.
    """

    compile: float = 0.0
    execute: float = 0.0


@dataclass(frozen=True, slots=True)
class Outcome:
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
