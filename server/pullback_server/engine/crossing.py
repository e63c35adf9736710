"""How tensors cross to a worker and back: the small ones in the frame, the large ones in shared memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from pullback.program.tensors import TensorType
from pullback_server.engine.arena import Arena, Block
from pullback_server.model.evaluation import Buffer, Evaluation, Tensor
from pullback_server.model.frames import FrameError
from pullback_server.model.memory import Place, Segment
from pullback_server.model.messages import INLINE_BYTES, Ran, Span

Types = tuple[tuple[TensorType, ...], ...]
"""For each want the types of its leaves."""


Results = tuple[tuple[Tensor, ...], ...]
"""For each want its leaves."""


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


def returned(message: Ran, types: Types, buffers: Sequence[Buffer], crossing: Crossing) -> Results:
    """The results that a worker gave.

    Each is checked, since a worker that a program has damaged may say anything.

    Args:
        message: The answer.
        types: The types that it names.
        buffers: What follows it.
        crossing: Where they were to be written.

    Raises:
        FrameError: If the results are not of their types, or lie elsewhere.
    """
    leaves = [type_ for group in types for type_ in group]
    offsets = message.offsets or (None,) * len(leaves)
    if len(offsets) != len(leaves) or offsets.count(None) != len(buffers):
        raise FrameError(f"{len(leaves)} results have {len(offsets)} places and {len(buffers)} buffers")
    rest = iter(buffers)
    found = iter(
        [
            _inline(type_, next(rest)) if offset is None else _placed(type_, offset, crossing.target)
            for type_, offset in zip(leaves, offsets, strict=True)
        ]
    )
    return tuple([tuple([next(found) for _ in group]) for group in types])


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


def _inline(type_: TensorType, buffer: Buffer) -> Tensor:
    if len(buffer) != type_.nbytes:
        raise FrameError(f"a tensor {type_} has {type_.nbytes} bytes, and its buffer has {len(buffer)}")
    return Tensor(type_, buffer)


def _placed(type_: TensorType, offset: int, target: Block | Place | None) -> Tensor:
    if target is None:
        raise FrameError("a result lies in shared memory, where it was not to be written")
    place = _place(target)
    begin, nbytes = offset - place.offset, type_.nbytes
    if begin < 0 or begin + nbytes > place.nbytes:
        raise FrameError(f"a tensor {type_} does not lie at {begin} of the {place.nbytes} bytes for results")
    if isinstance(target, Block):
        return Tensor(type_, target.memory.data[begin : begin + nbytes])
    found = Place(place.segment, offset, nbytes)
    return Tensor(type_, found.view, found)
