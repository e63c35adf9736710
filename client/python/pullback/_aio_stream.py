"""Many evaluations in flight on one stream, awaited: the twin of `_stream`, over `grpc.aio`."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

import grpc
import grpc.aio

from pullback._channel import pause_before_resuming
from pullback._descriptions import FunctionDetails
from pullback._evaluation.calls import Call, ForgottenError, read_answer
from pullback._evaluation.joining import message_bytes
from pullback._evaluation.places import Places
from pullback._evaluation.plans import Plans
from pullback._methods import EVALUATE_STREAM
from pullback._sharing.lender import Lender
from pullback._sharing.loan import Loan
from pullback._status import error_from_call
from pullback._stream import refuse_timeout
from pullback._transformations import Transformations
from pullback._trip import shown
from pullback.codec.evaluation import Response, encode_stream_request
from pullback.errors import PullbackError, UnavailableError

if TYPE_CHECKING:
    from pullback._aio_function import AsyncFunction

# What grpc.aio puts in the place of the server's status where a stream ends while a message is being
# written: https://github.com/grpc/grpc/issues/36066.
_STATUS_LOST: Final = "Internal error from Core"


class Pending(NamedTuple):
    """A call without an answer.

    Attributes:
        call: The call.
        future: Of its answer.
        loan: The shared memory that it goes in; None where it goes in a message.
    """

    call: Call
    future: asyncio.Future[Any]
    loan: Loan | None


Waiting = asyncio.Queue[tuple[int, bytes, Pending] | None]
"""Requests that are to be sent, with their numbers; None after the last."""


class AsyncStream:
    """A stream of evaluations; made by `AsyncClient.stream`, used as an asynchronous context manager.

    Leaving it waits until everything is answered; leaving it by an exception gives up what is not. Where the
    server goes away, what has no answer is sent again to the next one, or to the same when it is back.
    What is sent again is read again, so arrays should stay as they are until their answer is there.

    Args:
        channel: The channel to open it on.
        address: The server's address, for messages.
        in_flight: The most evaluations without an answer; others wait until they have a place. Together they
            have `places.MOST_BYTES` at most, there or back.
        lender: What shares memory with the server; None where everything goes in messages.
        request_id: Its id, under which the server's log has what travels on it.
        resumes: Whether it is opened again where the server goes away; else it ends, and everything fails
            that has no answer.
        served: Whether the server has answered before.
    """

    def __init__(
        self,
        channel: grpc.aio.Channel,
        address: str,
        in_flight: int,
        lender: Lender | None = None,
        *,
        request_id: str,
        resumes: bool = True,
        served: bool = False,
    ) -> None:
        method = EVALUATE_STREAM
        self._method = channel.stream_stream(method.path, method.serialize, method.deserialize)
        self.request_id = request_id
        self._resumes = resumes
        self._tries = 0
        self._answered = served
        self._pausing = self._closed = self._given_up = False
        self._address = address
        self._lender = lender
        self._in_flight = in_flight
        self._places = Places(in_flight)
        self._vacant = asyncio.Event()
        self._waiting: Waiting = asyncio.Queue()
        self._ids = itertools.count(1)
        self._pending: dict[int, Pending] = {}
        # What goes in shared memory: the server may not know that, and then it is sent again.
        self._lent: set[int] = set()
        self._end: PullbackError | None = None
        self._answers = self._open()
        self._reader = asyncio.create_task(self._read(), name="pullback-stream")

    @property
    def ended(self) -> bool:
        """Whether it has broken off or was closed, so that everything that is sent fails."""
        return self._end is not None

    def function(self, function: AsyncFunction) -> AsyncStreamedFunction:
        """The same function with the same methods, which give futures."""
        return AsyncStreamedFunction(self, function)

    def submit(self, call: Call) -> asyncio.Future[Any]:
        """Sends a call as soon as it has a place, and gives the future of its answer."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if self._end is not None:
            future.set_exception(self._end)
            return future
        # At once, on the loop: only what is sent again is read later.
        loan = self._lender.lend(call.request, call.result_bytes) if self._lender else None
        number, request = next(self._ids), call.request if loan is None else loan.request
        message = encode_stream_request(number, request)
        if loan is not None:
            self._lent.add(number)
        self._waiting.put_nowait((number, message, Pending(call, future, loan)))
        return future

    async def _send(self, requests: Waiting) -> AsyncIterator[bytes]:
        while (waiting := await requests.get()) is not None:
            number, message, pending = waiting
            # Before it has a place, so that it fails with the others if the stream ends meanwhile.
            self._pending[number] = pending
            nbytes = message_bytes(pending.call)
            while self._sends(requests) and not self._places.fit(nbytes):
                self._vacant.clear()
                await self._vacant.wait()
            if not self._sends(requests):
                return
            self._places.take(nbytes)
            yield message

    def _sends(self, requests: Waiting) -> bool:
        """Whether requests are still sent from there: a stream that was opened again has others."""
        return self._end is None and self._waiting is requests

    async def _read(self) -> None:
        ended: PullbackError = UnavailableError(
            f"the stream to {self._address} has ended", code="UNAVAILABLE", request_id=self.request_id
        )
        end: PullbackError | None = None
        try:
            while await self._resume(end := await self._follow()):
                pass
        except PullbackError as error:  # what gives tokens failed
            end = error
        except asyncio.CancelledError:
            end = error_from_call("CANCELLED", "its stream was left", [], self._address, self.request_id)
        finally:
            self._finish(end or ended)

    def _open(self) -> Any:
        return self._method(self._send(self._waiting), metadata=shown(self.request_id))

    async def _follow(self) -> PullbackError | None:
        """Settles answers until there are no more, and gives why, unless that is the stream's end."""
        try:
            async for message in self._answers:
                self._settle(*message)
        except grpc.aio.AioRpcError as error:
            return call_error(error, self._address, self.request_id)
        return None

    async def _resume(self, end: PullbackError | None) -> bool:
        """Opens the stream again, if that may help, when there is something to send; says whether it did."""
        self._tries += 1
        pause = pause_before_resuming(end, self._tries, answered=self._answered)
        if not self._resumes or self._given_up or pause is None:
            return False
        self._take_back()
        self._pausing = True
        await asyncio.sleep(pause)
        first = await self._waiting.get()
        self._pausing = False
        if first is None:
            return False
        self._queue_anew([first])
        self._answers = self._open()
        return True

    def _take_back(self) -> None:
        """Has everything without an answer wait again, to go in messages: the next server has no memory."""
        again: list[tuple[int, bytes, Pending]] = []
        for number, (call, future, loan) in sorted(self._pending.items()):
            if loan is not None:
                loan.give_up()
            if not future.cancelled():
                message = encode_stream_request(number, call.request)
                again.append((number, message, Pending(call, future, None)))
        self._lent -= self._pending.keys()
        self._pending.clear()
        self._places = Places(self._in_flight)
        self._queue_anew(again)
        self._vacant.set()

    def _queue_anew(self, first: list[tuple[int, bytes, Pending]]) -> None:
        """Has requests wait in a new queue before those that wait; nobody sends from the old one."""
        before, self._waiting = self._waiting, asyncio.Queue()
        for each in first:
            self._waiting.put_nowait(each)
        while not before.empty():
            if (waiting := before.get_nowait()) is not None:
                self._waiting.put_nowait(waiting)
        before.put_nowait(None)
        self._end_requests()

    def _settle(self, number: int, outcome: Response | bytes) -> None:
        self._tries, self._answered = 0, True
        pending = self._pending[number]
        if pending.loan is not None or not pending.future.cancelled():
            self._tell(number, outcome, pending)
        # Only now: what fails in between fails with all that are pending.
        del self._pending[number]
        self._places.leave(message_bytes(pending.call))
        self._vacant.set()
        if pending.loan is not None:
            self._lent.discard(number)
            self._end_requests()

    def _tell(self, number: int, outcome: Response | bytes, pending: Pending) -> None:
        """Gives an answer to whom it belongs; what the server cannot read is sent again, in a message."""
        call, future, loan = pending
        wanted = not future.cancelled()
        try:
            answer = read_answer(call, outcome, loan)
            if wanted:
                future.set_result(answer)
        except ForgottenError:
            if wanted:
                message = encode_stream_request(number, call.request)
                self._waiting.put_nowait((number, message, Pending(call, future, None)))
        except (PullbackError, ValueError) as error:
            if wanted:
                future.set_exception(error)

    def _end_requests(self) -> None:
        """Ends the requests of a stream that closes, once none may have to be sent again.

        Where nothing goes in shared memory, the server hears of the end at once.
        """
        if self._closed and not self._lent:
            self._waiting.put_nowait(None)

    def _finish(self, end: PullbackError) -> None:
        """Lets everything that has no answer fail, and everything that comes later."""
        self._end = end
        self._vacant.set()
        left = list(self._pending.values())
        while not self._waiting.empty():
            waiting = self._waiting.get_nowait()
            left += [waiting[2]] if waiting else []
        for _, future, loan in left:
            if loan is not None:
                loan.give_up()
            if not future.cancelled():
                future.set_exception(end)
                # Seen: who has left the stream need not be told by asyncio's log as well.
                future.exception()
        self._pending.clear()
        self._waiting.put_nowait(None)

    async def close(self) -> None:
        """Waits until everything is answered, and ends the stream; if that is cancelled, gives it up."""
        self._closed = True
        self._end_requests()
        try:
            # Without the shield a cancellation would end in the reader, and whoever waits would not see it.
            await asyncio.shield(self._reader)
        except asyncio.CancelledError:
            await self.cancel()
            raise

    async def cancel(self) -> None:
        """Gives up what is not answered, and ends the stream."""
        self._given_up = True
        if self._pausing:
            self._reader.cancel()
        else:
            self._answers.cancel()
        await asyncio.shield(self._reader)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await (self.close() if kind is None else self.cancel())


class AsyncStreamedFunction(Transformations["asyncio.Future[Any]"]):
    """A function whose methods send on a stream and give futures, to be awaited in any order.

    What is wrong with a call raises where its own future is awaited.

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

    @property
    def plans(self) -> Plans:
        """What its evaluations have in common, kept from call to call."""
        return self._function.plans

    def _run(self, prepare: Callable[[], Call], timeout: float | None) -> asyncio.Future[Any]:
        try:
            refuse_timeout(timeout)
            return self._stream.submit(prepare())
        except (PullbackError, ValueError) as error:
            failed: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            failed.set_exception(error)
            return failed


def call_error(error: grpc.aio.AioRpcError, address: str, request_id: str = "") -> PullbackError:
    """The error of a failed call of the asynchronous client, which went under this id."""
    if error.code() is grpc.StatusCode.INTERNAL and error.details() == _STATUS_LOST:
        message = f"{address} ended a stream early; grpc.aio lost why"
        return UnavailableError(message, code="UNAVAILABLE", request_id=request_id)
    trailing = [(key, value) for key, value in error.trailing_metadata() or ()]
    return error_from_call(error.code().name, error.details() or "", trailing, address, request_id)
