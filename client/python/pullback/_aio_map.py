"""Maps over many points, awaited: the twin of `_map`, over `grpc.aio`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from contextlib import aclosing
from types import TracebackType
from typing import Any, Self

from pullback._aio_stream import AsyncStream
from pullback._evaluation.results import Results
from pullback._map import no_answer
from pullback._mapping.cutting import Chunk
from pullback._mapping.flight import Flight
from pullback._mapping.progress import Progress
from pullback._mapping.requests import ArrayMap, IteratorMap
from pullback.errors import PullbackError

Open = Callable[[int], AsyncStream]


async def run(array_map: ArrayMap, open_stream: Open) -> Results:
    """The results of a map over arrays, as `_map.run`.

    Raises:
        PullbackError: If a chunk fails: the error, with the chunk's points.
        OSError: If a file cannot be written.
    """
    course, joining = array_map.course, array_map.joining()
    with Progress(course.progress, array_map.points) as progress:
        async with (
            _Carrier(open_stream, course.flight(), course.timeout) as carrier,
            aclosing(carrier.carry(_awaited(array_map.chunks()))) as carried,
        ):
            async for chunk, results in carried:
                joining.add(chunk, results)
                progress.advance(chunk.stop - chunk.start)
    return joining.results()


async def iterate(iterator_map: IteratorMap, open_stream: Open) -> AsyncGenerator[Results, None]:
    """The results of a map over iterators, which may be asynchronous, as `_map.iterate`.

    Raises:
        PullbackError: If an item or a chunk fails.
    """
    course, spreading = iterator_map.course, iterator_map.spreading()
    with Progress(course.progress, None) as progress:
        async with (
            _Carrier(open_stream, course.flight(), course.timeout) as carrier,
            aclosing(carrier.carry(_gathered(iterator_map))) as carried,
        ):
            async for chunk, results in carried:
                progress.advance(chunk.stop - chunk.start)
                for each in spreading.add(chunk, results):
                    yield each


async def _gathered(iterator_map: IteratorMap) -> AsyncGenerator[Chunk, None]:
    gathering = iterator_map.gathering()
    async for item in _zipped([_items(points) for points in iterator_map.points]):
        for chunk in gathering.add(item):
            yield chunk
    for chunk in gathering.rest():
        yield chunk


async def _zipped(iterators: list[AsyncIterator[Any]]) -> AsyncGenerator[tuple[Any, ...], None]:
    """Items in step, as `zip(..., strict=True)`."""
    end = object()
    while True:
        item = [await anext(iterator, end) for iterator in iterators]
        if all(each is end for each in item):
            return
        if any(each is end for each in item):
            raise ValueError("one of the iterators of a map is shorter than another")
        yield tuple(item)


def _items(points: Any) -> AsyncIterator[Any]:
    return aiter(points) if hasattr(points, "__aiter__") else _awaited(points)


async def _awaited(items: Iterable[Any]) -> AsyncGenerator[Any, None]:
    for item in items:
        yield item


class _Carrier:
    """Carries chunks over a stream, and over the next one when that is lost; as in `_map`."""

    def __init__(self, open_stream: Open, flight: Flight, timeout: float | None) -> None:
        self._open_stream = open_stream
        self._flight = flight
        self._timeout = timeout
        self._settled: asyncio.Queue[tuple[int, asyncio.Future[Any]]] = asyncio.Queue()
        self._unsettled = 0
        self._stream = self._open()

    async def carry(self, chunks: AsyncGenerator[Chunk, None]) -> AsyncGenerator[tuple[Chunk, Results], None]:
        """Each chunk with its results, in order; takes the next only when there is room for it."""
        flight, more = self._flight, True
        async with aclosing(chunks):
            while True:
                while taken := flight.take():
                    yield taken
                if flight.has_lost and not (self._stream.ended and self._unsettled):
                    await self._send_again()
                elif more and flight.has_room:
                    chunk = await anext(chunks, None)
                    if chunk is None:
                        more = False
                    else:
                        self._send(flight.launch(chunk), chunk)
                    # Lets the stream send and receive even where chunks never wait.
                    await asyncio.sleep(0)
                    self._settle_all()
                elif flight.empty:
                    return
                else:
                    self._settle(await self._next_settled())

    def _open(self) -> AsyncStream:
        return self._open_stream(self._flight.window.chunks)

    def _send(self, number: int, chunk: Chunk) -> None:
        self._unsettled += 1
        future = self._stream.submit(chunk.call)
        future.add_done_callback(lambda done: self._settled.put_nowait((number, done)))

    async def _send_again(self) -> None:
        await asyncio.sleep(self._flight.pause())
        self._settle_all()
        if self._stream.ended:
            await self._stream.close()
            self._stream = self._open()
        for number, chunk in self._flight.again():
            self._send(number, chunk)

    def _settle_all(self) -> None:
        while not self._settled.empty():
            self._settle(self._settled.get_nowait())

    async def _next_settled(self) -> tuple[int, asyncio.Future[Any]]:
        try:
            return await asyncio.wait_for(self._settled.get(), self._timeout)
        except TimeoutError:
            raise no_answer(self._timeout, self._stream.request_id) from None

    def _settle(self, settled: tuple[int, asyncio.Future[Any]]) -> None:
        number, future = settled
        self._unsettled -= 1
        try:
            self._flight.land(number, future.result())
        except PullbackError as error:
            self._flight.lose(number, error)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await (self._stream.close() if kind is None else self._stream.cancel())
