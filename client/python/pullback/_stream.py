"""Many evaluations in flight on one stream, answered by futures as they finish."""

from __future__ import annotations

import itertools
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import grpc

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
from pullback._transformations import Transformations
from pullback._trip import shown
from pullback.codec.evaluation import Response, encode_stream_request
from pullback.errors import PullbackError, UnavailableError, invalid_argument

if TYPE_CHECKING:
    from pullback._function import Function


class Stream:
    """A stream of evaluations; made by `Client.stream`, used as a context manager.

    Leaving it waits until everything is answered; leaving it by an exception gives up what is not. Where the
    server goes away, what has no answer is sent again to the next one, or to the same when it is back.
    What is sent again is read again, so arrays should stay as they are until their answer is there.

    Args:
        channel: The channel to open it on.
        address: The server's address, for messages.
        in_flight: The most evaluations without an answer; another one waits until it has a place. Together
            they have `places.MOST_BYTES` at most, there or back.
        lender: What shares memory with the server; None where everything goes in messages.
        request_id: Its id, under which the server's log has what travels on it.
        resumes: Whether it is opened again where the server goes away; else it ends, and everything fails
            that has no answer.
        served: Whether the server has answered before.
    """

    def __init__(
        self,
        channel: grpc.Channel,
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
        self._broken = self._closed = False
        self._given_up = threading.Event()
        self._address = address
        self._lender = lender
        self._places = Places(in_flight)
        self._requests: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._pending: dict[int, tuple[Call, Future[Any], Loan | None]] = {}
        self._lock = threading.Lock()
        self._vacant = threading.Condition(self._lock)
        self._ids = itertools.count(1)
        self._end: PullbackError | None = None
        self._answers = self._open(self._requests)
        self._reader = threading.Thread(target=self._read, daemon=True, name="pullback-stream")
        self._reader.start()

    @property
    def ended(self) -> bool:
        """Whether it has broken off or was closed, so that everything that is sent fails."""
        return self._end is not None

    def function(self, function: Function) -> StreamedFunction:
        """The same function with the same methods, which give futures."""
        return StreamedFunction(self, function)

    def submit(self, call: Call) -> Future[Any]:
        """Sends a call and gives the future of its answer."""
        nbytes = message_bytes(call)
        with self._lock:
            while self._end is None and not self._places.fit(nbytes):
                self._vacant.wait()
            self._places.take(nbytes)
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()
        number = next(self._ids)
        message, loan = self._packed(number, call)
        with self._lock:
            if self._end is not None:
                self._leave(call)
                if loan is not None:
                    loan.give_up()
                future.set_exception(self._end)
                return future
            self._pending[number] = (call, future, loan)
            self._requests.put(message)
            if self._broken:
                self._vacant.notify_all()
        return future

    def _packed(self, number: int, call: Call) -> tuple[bytes, Loan | None]:
        """A call's message, and the shared memory that it goes in; if that fails, its place is given back."""
        try:
            loan = self._lender.lend(call.request, call.result_bytes) if self._lender else None
            return encode_stream_request(number, call.request if loan is None else loan.request), loan
        except BaseException:
            with self._lock:
                self._leave(call)
            raise

    def _read(self) -> None:
        ended: PullbackError = UnavailableError(
            f"the stream to {self._address} has ended", code="UNAVAILABLE", request_id=self.request_id
        )
        end: PullbackError | None = None
        try:
            while self._resume(end := self._follow()):
                pass
        except PullbackError as error:  # what gives tokens failed
            end = error
        finally:
            self._finish(end or ended)

    def _open(self, requests: queue.SimpleQueue[bytes | None]) -> Any:
        return self._method(iter(requests.get, None), metadata=shown(self.request_id))

    def _follow(self) -> PullbackError | None:
        """Settles answers until there are no more, and gives why, unless that is the stream's end."""
        try:
            for message in self._answers:
                self._settle(*message)
        except grpc.RpcError as error:
            return call_error(error, self._address, self.request_id)
        return None

    def _resume(self, end: PullbackError | None) -> bool:
        """Opens the stream again, if that may help, when there is something to send; says whether it did."""
        self._tries += 1
        pause = pause_before_resuming(end, self._tries, answered=self._answered)
        if not self._resumes or pause is None or self._given_up.wait(pause):
            return False
        with self._lock:
            self._broken = True
            while not (self._pending or self._closed or self._given_up.is_set()):
                self._vacant.wait()
            self._broken = False
            if not self._pending or self._given_up.is_set():
                return False
            self._reopen()
        return True

    def _reopen(self) -> None:
        """Opens the stream again and sends what has no answer, in messages: the next server has no memory."""
        self._requests.put(None)
        self._requests = queue.SimpleQueue()
        for number, (call, future, loan) in self._pending.items():
            if loan is not None:
                loan.give_up()
            self._pending[number] = (call, future, None)
            self._requests.put(encode_stream_request(number, call.request))
        self._end_requests()
        self._answers = self._open(self._requests)

    def _settle(self, number: int, outcome: Response | bytes) -> None:
        self._tries, self._answered = 0, True
        # It stays among the pending while it may have to be sent again: until then its stream must not close.
        call, future, loan = self._pending[number]
        try:
            future.set_result(read_answer(call, outcome, loan))
        except ForgottenError:
            self._send_again(number, call, future)
            return
        except (PullbackError, ValueError) as error:
            future.set_exception(error)
        with self._lock:
            del self._pending[number]
            self._leave(call)
            if loan is not None:
                self._end_requests()

    def _leave(self, call: Call) -> None:
        self._places.leave(message_bytes(call))
        self._vacant.notify_all()

    def _send_again(self, number: int, call: Call, future: Future[Any]) -> None:
        """Sends in a message what could not go in shared memory; it keeps its place."""
        message = encode_stream_request(number, call.request)
        with self._lock:
            self._pending[number] = (call, future, None)
            self._requests.put(message)
            self._end_requests()

    def _end_requests(self) -> None:
        """Ends the requests of a stream that closes, once none may have to be sent again.

        Only what goes in shared memory may. Where nothing does, the server hears of the end at once.
        """
        if self._closed and all(loan is None for _, _, loan in self._pending.values()):
            self._requests.put(None)

    def _finish(self, end: PullbackError) -> None:
        """Lets everything that has no answer fail, and everything that comes later."""
        with self._lock:
            self._end = end
            # Lets go of gRPC's thread, which else waits for more.
            self._requests.put(None)
            left = list(self._pending.values())
            self._pending.clear()
            for call, _, _ in left:
                self._leave(call)
            self._vacant.notify_all()
        for _, future, loan in left:
            if loan is not None:
                loan.give_up()
            future.set_exception(end)

    def close(self) -> None:
        """Waits until everything is answered, and ends the stream."""
        with self._lock:
            self._closed = True
            self._end_requests()
            self._vacant.notify_all()
        self._reader.join()

    def cancel(self) -> None:
        """Gives up what is not answered, and ends the stream."""
        with self._lock:
            self._given_up.set()
            self._answers.cancel()
        self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close() if kind is None else self.cancel()


class StreamedFunction(Transformations["Future[Any]"]):
    """A function whose methods send on a stream and give futures.

    What is wrong with a call raises at its own future, also where it was found before sending.

    Args:
        stream: The stream.
        function: The function.
    """

    __slots__ = ("_function", "_stream")

    def __init__(self, stream: Stream, function: Function) -> None:
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

    def _run(self, prepare: Callable[[], Call], timeout: float | None) -> Future[Any]:
        try:
            refuse_timeout(timeout)
            return self._stream.submit(prepare())
        except (PullbackError, ValueError) as error:
            failed: Future[Any] = Future()
            failed.set_exception(error)
            return failed


def refuse_timeout(timeout: float | None) -> None:
    """Refuses a timeout where it could not be kept.

    Raises:
        InvalidArgumentError: If one is given.
    """
    if timeout is not None:
        raise invalid_argument(
            "MALFORMED_REQUEST", "calls of a stream have no timeout=; wait with one instead"
        )


def call_error(error: grpc.RpcError, address: str, request_id: str = "") -> PullbackError:
    """The error of a failed call of the synchronous client, which went under this id."""
    if not isinstance(error, grpc.Call):
        message = f"the call to {address} failed: {error}"
        return UnavailableError(message, code="UNKNOWN", request_id=request_id)
    trailing = [(key, value) for key, value in error.trailing_metadata() or ()]
    return error_from_call(error.code().name, error.details() or "", trailing, address, request_id)
