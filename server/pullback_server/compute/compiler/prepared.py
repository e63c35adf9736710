"""What all evaluations of a kind need, found once. Knows no JAX."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pullback.program.tensors import TensorType
from pullback_server.compute.arrays import Form, form_of, to_tensor
from pullback_server.compute.compiler.layout import Batched
from pullback_server.compute.compiler.tiles import Tiling
from pullback_server.compute.compiler.trace import Traced
from pullback_server.compute.planner.sparse.coloring import Block
from pullback_server.model.evaluation import Buffer


@dataclass(frozen=True, slots=True)
class Leaf:
    """A leaf of a result.

    Attributes:
        form: How it lies in memory, at one point.
        fixed: Its bytes where they are always the same and no batch has them twice: the coordinates of a
            sparse matrix.
    """

    form: Form
    fixed: Buffer | None = None

    def type(self, points: int | None) -> TensorType:
        """Its type in the results of so many points."""
        type_ = self.form.type
        return type_ if points is None or self.fixed is not None else type_.batched(points)

    def nbytes(self, points: int | None) -> int:
        """Its bytes in the results of so many points."""
        return self.form.nbytes * (1 if points is None or self.fixed is not None else points)


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A kind that was traced.

    Attributes:
        address: What it is by content; executables are kept under it.
        traced: Its function.
        batched: Which inputs are batched; None for a single point.
        inputs: The forms of the inputs at one point.
        leaves: The leaves of all results, one after the other.
        counts: How many of these belong to each want.
        result_bytes: The bytes of all results at one point, without coordinates of sparse ones.
        tile: The most points that run at a time; a power of two.
    """

    address: str
    traced: Traced
    batched: Batched
    inputs: tuple[Form, ...]
    leaves: tuple[Leaf, ...]
    counts: tuple[int, ...]
    result_bytes: int
    tile: int


def prepared(address: str, traced: Traced, batched: Batched, tiling: Tiling) -> Prepared:
    """What evaluations need that have a traced plan and a layout.

    Args:
        address: What the plan is by content.
        traced: The plan.
        batched: Which of its inputs are batched.
        tiling: How large tiles may be.
    """
    plan = traced.plan
    pairs = zip(traced.results, plan.blocks, strict=True)
    wants = [tuple(_leaves(types, blocks)) for types, blocks in pairs]
    return Prepared(
        f"{address} batched {batched}",
        traced,
        batched,
        tuple(map(form_of, plan.inputs)),
        tuple(leaf for want in wants for leaf in want),
        tuple(map(len, wants)),
        traced.nbytes,
        tiling.largest(_moved_bytes(traced, batched), plan.working_bytes),
    )


def _leaves(types: Sequence[TensorType], blocks: Sequence[Block]) -> Iterator[Leaf]:
    """The leaves of a want, each followed by the rows and columns of its entries where it is sparse."""
    for number, type_ in enumerate(types):
        yield Leaf(form_of(type_))
        if blocks:
            for coordinates in (blocks[number].rows, blocks[number].columns):
                tensor = to_tensor(coordinates)
                yield Leaf(form_of(tensor.type), tensor.data)


def _moved_bytes(traced: Traced, batched: Batched) -> int:
    pairs = zip(traced.plan.inputs, batched or (), strict=batched is not None)
    return traced.nbytes + sum(leaf.nbytes for leaf, leads in pairs if leads)
