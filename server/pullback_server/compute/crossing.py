"""How tensors come from the front and go back: the small ones in the frame, the large ones in shared memory.

Knows no JAX.
"""

from __future__ import annotations

import gc
import mmap
import os
import threading
import weakref
from collections.abc import Iterable, Sequence
from typing import Final

from pullback_server.errors import Reason, service_error
from pullback_server.model.evaluation import Buffer
from pullback_server.model.frames import FrameError
from pullback_server.model.messages import INLINE_BYTES, AttachSegment, Run, Span

_ALIGNMENT: Final = 64


class Mapped:
    """The segments that the front has handed over, mapped into this process.

    One that is detached stays mapped as long as a view of it lives.
    """

    def __init__(self) -> None:
        self._segments: dict[int, mmap.mmap] = {}
        self._leaving: list[weakref.ref[mmap.mmap]] = []
        self._tidying = threading.Lock()

    def attach(self, message: AttachSegment, descriptor: int) -> None:
        """Maps a segment, and closes its descriptor.

        Raises:
            OSError: If it cannot be mapped.
        """
        try:
            self._segments[message.number] = mmap.mmap(descriptor, message.nbytes)
        finally:
            os.close(descriptor)

    def detach(self, number: int) -> None:
        """Lets go of a segment."""
        segment = self._segments.pop(number, None)
        if segment is not None:
            with self._tidying:
                self._leaving.append(weakref.ref(segment))
            del segment
            self.tidy()

    def tidy(self) -> None:
        """Sees to it that segments that were detached do not stay mapped; to be called after each run.

        JAX lets go of inputs that it used in place when it is called the next time, which may be long
        after, or when garbage is looked for.
        """
        if self._leaving:
            gc.collect(0)
            with self._tidying:
                self._leaving = [segment for segment in self._leaving if segment() is not None]

    def view(self, span: Span) -> memoryview:
        """A part of a segment, writable.

        Raises:
            ServiceError: SEGMENT_NOT_FOUND if the segment was taken away meanwhile.
        """
        number, offset, nbytes = span
        segment = self._segments.get(number)
        if segment is None:
            raise service_error(
                Reason.SEGMENT_NOT_FOUND,
                f"the shared memory of the number {number} was taken away while it was needed; keep it until "
                "all calls that name it are answered",
                segment=str(number),
            )
        return memoryview(segment)[offset : offset + nbytes]


class Places:
    """Where the results of one run go.

    Attributes:
        views: For each leaf the memory of its size where it is written; None where it follows the answer.
        offsets: For each leaf the offset of that memory in its segment.
    """

    __slots__ = ("offsets", "views")

    def __init__(self, results: Span, sizes: Iterable[int], mapped: Mapped) -> None:
        """Lays out leaves of these sizes, in order, as far as they are large and fit."""
        memory, begin = mapped.view(results), results[1]
        self.views: list[Buffer | None] = []
        self.offsets: list[int | None] = []
        end = 0
        for size in sizes:
            fits = size >= INLINE_BYTES and end + size <= len(memory)
            self.views.append(memory[end : end + size] if fits else None)
            self.offsets.append(begin + end if fits else None)
            end += -(-size // _ALIGNMENT) * _ALIGNMENT if fits else 0

    def rest(self, buffers: Sequence[Buffer]) -> list[Buffer]:
        """Those of the leaves' buffers that have no place."""
        return [buffer for buffer, offset in zip(buffers, self.offsets, strict=True) if offset is None]


def inputs_of(message: Run, buffers: Sequence[Buffer], mapped: Mapped) -> Sequence[Buffer]:
    """The elements of each input of a run, where they lie.

    Raises:
        FrameError: If the message names more or fewer inputs than came.
        ServiceError: SEGMENT_NOT_FOUND.
    """
    if not message.inputs:
        return buffers
    if message.inputs.count(None) != len(buffers):
        raise FrameError(f"{message.inputs.count(None)} inputs should follow, and {len(buffers)} do")
    rest = iter(buffers)
    return [next(rest) if span is None else mapped.view(span) for span in message.inputs]
