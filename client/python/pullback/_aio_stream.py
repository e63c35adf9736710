"""Many evaluations in flight on one stream, awaited: the twin of `_stream`, over `grpc.aio`."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import grpc.aio

from pullback._calls import Call, read_answer
from pullback._descriptions import FunctionDetails
from pullback._methods import EVALUATE_STREAM
from pullback._status import error_from_call
from pullback._stream import refuse_timeout
from pullback._transformations import Transformations
from pullback.errors import PullbackError, UnavailableError
from pullback.v1 import evaluation_pb2

if TYPE_CHECKING:
    from pullback.aio import AsyncFunction


class AsyncStream:
    """A stream of evaluations; made by `AsyncClient.stream`, used as an asynchronous context manager.

    Leaving it waits until everything is answered; leaving it by an exception gives up what is not.

    Args:
        channel: The channel to open it on.
        address: The server's address, for messages.
        in_flight: The most evaluations without an answer; others wait until they have a place.
    """

    def __init__(self, channel: grpc.aio.Channel, address: str, in_flight: int) -> None:
        method = EVALUATE_STREAM
        open_stream = channel.stream_stream(method.path, method.serialize, method.deserialize)
        self._address = address
        self._places = asyncio.Semaphore(in_flight)
        self._requests: asyncio.Queue[evaluation_pb2.EvaluateStreamRequest | None] = asyncio.Queue()
        self._pending: dict[int, tuple[Call, asyncio.Future[Any]]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._ids = itertools.count(1)
        self._end: PullbackError | None = None
        self._answers = open_stream(self._take_requests())
        self._reader = asyncio.create_task(self._read(), name="pullback-stream")

    def function(self, function: AsyncFunction) -> AsyncStreamedFunction:
        """The same function with the same methods, which give tasks."""
        return AsyncStreamedFunction(self, function)

    def submit(self, prepare: Callable[[], Call]) -> asyncio.Task[Any]:
        """Sends a call and gives the task that ends with its answer."""
        task = asyncio.create_task(self._send(prepare))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _send(self, prepare: Callable[[], Call]) -> Any:
        call = prepare()
        async with self._places:
            if self._end is not None:
                raise self._end
            number = next(self._ids)
            future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            self._pending[number] = (call, future)
            await self._requests.put(evaluation_pb2.EvaluateStreamRequest(id=number, request=call.request))
            return await future

    async def _take_requests(self) -> AsyncIterator[evaluation_pb2.EvaluateStreamRequest]:
        while (request := await self._requests.get()) is not None:
            yield request

    async def _read(self) -> None:
        end: PullbackError = UnavailableError(f"the stream to {self._address} has ended", code="UNAVAILABLE")
        try:
            async for message in self._answers:
                self._settle(message)
        except grpc.aio.AioRpcError as error:
            end = call_error(error, self._address)
        finally:
            self._finish(end)

    def _settle(self, message: evaluation_pb2.EvaluateStreamResponse) -> None:
        call, future = self._pending.pop(message.id)
        if future.done():
            return
        try:
            future.set_result(read_answer(call, message))
        except (PullbackError, ValueError) as error:
            future.set_exception(error)

    def _finish(self, end: PullbackError) -> None:
        """Lets everything that has no answer fail, and everything that comes later."""
        self._end = end
        for _, future in self._pending.values():
            if not future.done():
                future.set_exception(end)
        self._pending.clear()

    async def close(self) -> None:
        """Waits until everything is answered, and ends the stream."""
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._requests.put(None)
        await self._reader

    async def cancel(self) -> None:
        """Gives up what is not answered, and ends the stream."""
        self._answers.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await (self.close() if kind is None else self.cancel())


class AsyncStreamedFunction(Transformations["asyncio.Task[Any]"]):
    """A function whose methods send on a stream and give tasks, to be awaited in any order.

    What is wrong with a call raises where its own task is awaited.

    Args:
        stream: The stream.
        function: The function.
    """

    __slots__ = ("_function", "_stream")

    def __init__(self, stream: AsyncStream, function: AsyncFunction) -> None:
        self._stream = stream
        self._function = function

    @property
    def details(self) -> FunctionDetails:
        """All that the server says of the function."""
        return self._function.details

    def _run(self, prepare: Callable[[], Call], timeout: float | None) -> asyncio.Task[Any]:
        def checked() -> Call:
            refuse_timeout(timeout)
            return prepare()

        return self._stream.submit(checked)


def call_error(error: grpc.aio.AioRpcError, address: str) -> PullbackError:
    """The error of a failed call of the asynchronous client."""
    trailing = [(key, value) for key, value in error.trailing_metadata() or ()]
    return error_from_call(error.code().name, error.details() or "", trailing, address)
