"""How tensors cross to a worker and back: the small ones in the frame, the large ones in shared memory."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from pullback.program.tensors import TensorType
from pullback_server.engine.arena import Arena, Block
from pullback_server.model.evaluation import Buffer, Evaluation, Tensor
from pullback_server.model.frames import FrameError
from pullback_server.model.memory import Place, Segment
from pullback_server.model.messages import INLINE_BYTES, Ran, Span

Results = tuple[tuple[Tensor, ...], ...]
"""For each want its leaves."""


class Layout(NamedTuple):
    """How results are made up.

    Attributes:
        types: The types of all leaves.
        sizes: The bytes of each.
        wants: Where the leaves of each want begin and end.
    """

    types: tuple[TensorType, ...]
    sizes: tuple[int, ...]
    wants: tuple[slice, ...]


def layout_of(types: Sequence[Sequence[TensorType]]) -> Layout:
    """The layout of results of which each want has these types."""
    leaves = tuple(type_ for want in types for type_ in want)
    ends = list(itertools.accumulate(map(len, types), initial=0))
    return Layout(leaves, tuple(leaf.nbytes for leaf in leaves), tuple(map(slice, ends, ends[1:])))


class Crossing(NamedTuple):
    """Where the tensors of one evaluation lie while a worker has it in hand.

    Attributes:
        inputs: Where each input lies; None for those that follow the message. Empty where all follow.
        buffers: Those that follow.
        target: Where results may be written.
        blocks: What the inputs take of the arena.
    """

    inputs: tuple[Span | None, ...]
    buffers: Sequence[Buffer]
    target: Block | Place | None
    blocks: Sequence[Block] = ()

    @property
    def results(self) -> Span | None:
        """Where results may be written, as messages say it."""
        return None if self.target is None else _span(_place(self.target))


class Shared(NamedTuple):
    """The memory that a worker has mapped.

    Attributes:
        arena: The engine's own; None where there is none.
        segments: The clients', by number.
    """

    arena: Arena | None
    segments: Mapping[int, Segment]


def cross(evaluation: Evaluation, shared: Shared, result_bytes: int) -> Crossing:
    """Puts the tensors of an evaluation where they cross.

    Args:
        evaluation: The evaluation.
        shared: The memory that the worker has mapped.
        result_bytes: How many bytes the results will take, as far as is known.
    """
    spans: list[Span | None] = []
    buffers: list[Buffer] = []
    blocks: list[Block] = []
    for data in evaluation.inputs:
        if isinstance(data, Place) and data.segment.number in shared.segments:
            spans.append(_span(data))
            continue
        buffer = data.view if isinstance(data, Place) else data
        block = _copied(buffer, shared.arena) if len(buffer) >= INLINE_BYTES else None
        if block is None:
            spans.append(None)
            buffers.append(buffer)
        else:
            spans.append(_span(block.place))
            blocks.append(block)
    inputs = tuple(spans) if len(buffers) < len(spans) else ()
    return Crossing(inputs, buffers, _target(evaluation.results, shared, result_bytes), blocks)


def returned(message: Ran, layout: Layout, buffers: Sequence[Buffer], crossing: Crossing) -> Results:
    """The results that a worker gave.

    Each is checked, since a worker that a program has damaged may say anything.

    Args:
        message: The answer.
        layout: The layout that it names.
        buffers: What follows it.
        crossing: Where they were to be written.

    Raises:
        FrameError: If the results are not of their types, or lie elsewhere.
    """
    types, sizes, wants = layout
    offsets = message.offsets
    if not offsets and len(buffers) == len(types):
        leaves = tuple(map(_inline, types, sizes, buffers))
    elif len(offsets) == len(types) and offsets.count(None) == len(buffers):
        rest = iter(buffers)
        leaves = tuple(
            _inline(type_, size, next(rest))
            if offset is None
            else _placed(type_, size, offset, crossing.target)
            for type_, size, offset in zip(types, sizes, offsets, strict=True)
        )
    else:
        raise FrameError(f"{len(types)} results have {len(offsets)} places and {len(buffers)} buffers")
    return tuple([leaves[want] for want in wants])


def _span(place: Place) -> Span:
    return place.segment.number, place.offset, place.nbytes


def _place(target: Block | Place) -> Place:
    return target.place if isinstance(target, Block) else target


def _copied(buffer: Buffer, arena: Arena | None) -> Block | None:
    block = None if arena is None else arena.take(len(buffer))
    if block is not None:
        # numpy lets other threads run while it copies.
        block.memory[:] = np.frombuffer(buffer, np.uint8)
    return block


def _target(wanted: Place | None, shared: Shared, result_bytes: int) -> Block | Place | None:
    if wanted is not None and wanted.segment.number in shared.segments:
        return wanted
    if result_bytes < INLINE_BYTES or shared.arena is None:
        return None
    return shared.arena.take(result_bytes)


def _inline(type_: TensorType, size: int, buffer: Buffer) -> Tensor:
    if len(buffer) != size:
        raise FrameError(f"a tensor {type_} has {size} bytes, and its buffer has {len(buffer)}")
    return Tensor(type_, buffer)


def _placed(type_: TensorType, nbytes: int, offset: int, target: Block | Place | None) -> Tensor:
    if target is None:
        raise FrameError("a result lies in shared memory, where it was not to be written")
    place = _place(target)
    begin = offset - place.offset
    if begin < 0 or begin + nbytes > place.nbytes:
        raise FrameError(f"a tensor {type_} does not lie at {begin} of the {place.nbytes} bytes for results")
    if isinstance(target, Block):
        return Tensor(type_, target.memory.data[begin : begin + nbytes])
    found = Place(place.segment, offset, nbytes)
    return Tensor(type_, found.view, found)
