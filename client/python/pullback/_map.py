"""Maps over many points, driven over a stream, and over the next when that is lost. Twin: `_aio_map`."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Self

from pullback._evaluation.results import Results
from pullback._mapping.cutting import Chunk
from pullback._mapping.flight import Flight
from pullback._mapping.progress import Progress
from pullback._mapping.requests import ArrayMap, IteratorMap
from pullback._stream import Stream
from pullback.errors import DeadlineExceededError, PullbackError

Open = Callable[[int], Stream]


def run(array_map: ArrayMap, open_stream: Open) -> Results:
    """The results of a map over arrays.

    Args:
        array_map: What to do.
        open_stream: Opens a stream with so many places.

    Raises:
        PullbackError: If a chunk fails: the error, with the chunk's points.
        OSError: If a file cannot be written.
    """
    course, joining = array_map.course, array_map.joining()
    with (
        Progress(course.progress, array_map.points) as progress,
        _Carrier(open_stream, course.flight(), course.timeout) as carrier,
    ):
        for chunk, results in carrier.carry(array_map.chunks()):
            joining.add(chunk, results)
            progress.advance(chunk.stop - chunk.start)
    return joining.results()


def iterate(iterator_map: IteratorMap, open_stream: Open) -> Iterator[Results]:
    """The results of a map over iterators, one for each item, in order.

    Raises:
        PullbackError: If an item or a chunk fails.
    """
    course, spreading = iterator_map.course, iterator_map.spreading()
    with (
        Progress(course.progress, None) as progress,
        _Carrier(open_stream, course.flight(), course.timeout) as carrier,
    ):
        for chunk, results in carrier.carry(_gathered(iterator_map)):
            progress.advance(chunk.stop - chunk.start)
            yield from spreading.add(chunk, results)


def _gathered(iterator_map: IteratorMap) -> Iterator[Chunk]:
    gathering = iterator_map.gathering()
    for item in zip(*iterator_map.points, strict=True):
        yield from gathering.add(item)
    yield from gathering.rest()


class _Carrier:
    """Carries chunks over a stream, and over the next one when that is lost.

    Args:
        open_stream: Opens a stream with so many places.
        flight: What is under way.
        timeout: For how many seconds there may be no answer at all.
    """

    def __init__(self, open_stream: Open, flight: Flight, timeout: float | None) -> None:
        self._open_stream = open_stream
        self._flight = flight
        self._timeout = timeout
        self._settled: queue.SimpleQueue[tuple[int, Future[Any]]] = queue.SimpleQueue()
        self._unsettled = 0
        self._stream = self._open()

    def carry(self, chunks: Iterator[Chunk]) -> Iterator[tuple[Chunk, Results]]:
        """Each chunk with its results, in order; takes the next only when there is room for it."""
        flight, more = self._flight, True
        while True:
            while taken := flight.take():
                yield taken
            if flight.has_lost and not (self._stream.ended and self._unsettled):
                self._send_again()
            elif more and flight.has_room:
                chunk = next(chunks, None)
                if chunk is None:
                    more = False
                else:
                    self._send(flight.launch(chunk), chunk)
                self._settle_all()
            elif flight.empty:
                return
            else:
                self._settle(self._next_settled())

    def _open(self) -> Stream:
        return self._open_stream(self._flight.window.chunks)

    def _send(self, number: int, chunk: Chunk) -> None:
        self._unsettled += 1
        future = self._stream.submit(chunk.call)
        future.add_done_callback(lambda done: self._settled.put((number, done)))

    def _send_again(self) -> None:
        time.sleep(self._flight.pause())
        self._settle_all()
        if self._stream.ended:
            self._stream.close()
            self._stream = self._open()
        for number, chunk in self._flight.again():
            self._send(number, chunk)

    def _settle_all(self) -> None:
        while not self._settled.empty():
            self._settle(self._settled.get())

    def _next_settled(self) -> tuple[int, Future[Any]]:
        try:
            return self._settled.get(timeout=self._timeout)
        except queue.Empty:
            raise no_answer(self._timeout, self._stream.request_id) from None

    def _settle(self, settled: tuple[int, Future[Any]]) -> None:
        number, future = settled
        self._unsettled -= 1
        try:
            self._flight.land(number, future.result())
        except PullbackError as error:
            self._flight.lose(number, error)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close() if kind is None else self._stream.cancel()


def no_answer(timeout: float | None, request_id: str) -> DeadlineExceededError:
    """The error of a map that gets no answers on the stream of this id."""
    return DeadlineExceededError(
        f"no answer came for {timeout:g} seconds; pass a longer timeout= or a smaller chunk=",
        code="DEADLINE_EXCEEDED",
        request_id=request_id,
    )
