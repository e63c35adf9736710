"""Joins the evaluations of a client's threads: what waits for the same derivative travels in one message."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import partial
from itertools import repeat
from typing import Any, Final

import grpc

from pullback._evaluation.calls import Call
from pullback._evaluation.joining import OVERDUE, join, longest, may_be_one_s_fault, message_bytes, part
from pullback._evaluation.lanes import FEW_OF_THREADS, Lanes
from pullback._evaluation.messages import Message, leave
from pullback._status import error_from_call
from pullback._stream import call_error
from pullback._trip import Trip, shown
from pullback.codec.evaluation import Response, encode_request
from pullback.errors import PullbackError

Outcome = Response | grpc.RpcError | None
_WOKEN_AT_ONCE: Final = 4


class _Member:
    """A call, and where the thread that made it waits if it has to.

    Attributes:
        outcome: Its response, or why the message failed; None if it is to travel alone.
    """

    __slots__ = (
        "_answered",
        "_gone",
        "_row",
        "call",
        "kind",
        "message",
        "nbytes",
        "outcome",
        "points",
        "trip",
    )

    def __init__(self, call: Call, trip: Trip) -> None:
        self.call = call
        self.kind = call.plan.kind
        self.points = 1 if call.points is None else call.points
        self.nbytes = message_bytes(call)
        self.trip = trip
        self.message: Message | None = None
        self.outcome: Outcome = None
        self._row: deque[_Member] | None = None
        self._gone = False
        # A lock costs a third of an Event, which makes one for each wait.
        self._answered = threading.Lock()
        self._answered.acquire()

    def wait(self) -> bool:
        """Waits for the outcome; False where it did not come in time."""
        remaining = self.trip.remaining()
        try:
            return self._answered.acquire(timeout=-1 if remaining is None else remaining)
        finally:
            # In this order: who is overdue and has no row yet is seen to be gone once it has one.
            self._gone = True
            if self._row is not None:
                _wake_next(self._row)

    def answer(self, outcome: Outcome, row: deque[_Member]) -> None:
        """Sets the outcome.

        Args:
            outcome: The outcome.
            row: Those who are to be woken, of whom it wakes the next when it goes.
        """
        self.outcome = outcome
        self._row = row

    def wake(self) -> bool:
        """Ends the wait; False if nobody waits any more."""
        self._answered.release()
        return not self._gone


def _wake_all(row: deque[_Member]) -> None:
    """Wakes those who wait, each as another one goes: woken all at once they would all wait for the GIL.

    Some are under way at a time, so that one that is interrupted holds up nobody.
    """
    for _ in range(_WOKEN_AT_ONCE):
        _wake_next(row)


def _wake_next(row: deque[_Member]) -> None:
    with suppress(IndexError):
        while not row.popleft().wake():
            pass


class Joined:
    """Carries evaluations of many threads in few messages.

    Args:
        evaluate: The method of the channel.
        address: The server's address, for messages.
    """

    def __init__(self, evaluate: grpc.UnaryUnaryMultiCallable[bytes, Response], address: str) -> None:
        self._evaluate = evaluate
        self._address = address
        self._lanes: Lanes[_Member] = Lanes(FEW_OF_THREADS)
        self._lock = threading.Lock()

    def carry(self, call: Call, trip: Trip) -> Response:
        """Carries one evaluation, alone or with others; it waits for a place, and for its answer.

        Raises:
            grpc.RpcError: If the call fails, or the message in which it travelled.
            DeadlineExceededError: If its time is over before the message's.
        """
        member = _Member(call, trip)
        with self._lock:
            group = self._lanes.enter(member)
            message = None if group == [member] else _message(group)
        if group == [member]:
            try:
                return self._alone(member)
            finally:
                self._leave(group)
        if message is not None:
            self._send(message, group)
        return self._wait(member)

    def _alone(self, member: _Member) -> Response:
        trip = member.trip
        request = encode_request(member.call.request)
        return self._evaluate(request, timeout=trip.remaining(), metadata=trip.alone())

    def _wait(self, member: _Member) -> Response:
        try:
            in_time = member.wait()
        except BaseException:
            self._give_up(member)
            raise
        if not in_time:
            self._give_up(member)
            raise error_from_call("DEADLINE_EXCEEDED", OVERDUE, (), self._address, member.trip.sent_as)
        match member.outcome:
            case None:
                return self._alone(member)
            case grpc.RpcError() as error:
                raise error
            case response:
                return response

    def _give_up(self, member: _Member) -> None:
        """Takes back a call whose caller goes; under way, it takes its message along if it is the last."""
        with self._lock:
            self._lanes.withdraw(member)
            deserted = leave(member)
        if deserted is not None:
            deserted.cancel()

    def _leave(self, group: list[_Member]) -> None:
        """Has those who wait travel in the place of a group that has been answered."""
        with self._lock:
            following = self._lanes.leave(group)
            message = _message(following)
        if message is not None:
            self._send(message, following)

    def _send(self, message: Message, group: list[_Member]) -> None:
        if message.deserted:
            self._leave(group)
            return
        try:
            future = self._start(message, group)
        except ValueError:
            # The channel is closed, and alone each gets to know that.
            self._let_go(group)
            return
        except BaseException:
            # Whoever sends does so for others, and may be interrupted.
            self._let_go(group)
            raise
        future.add_done_callback(partial(self._arrived, group))

    def _start(self, message: Message, group: list[_Member]) -> Any:
        timeout = longest([member.trip.remaining() for member in group])
        request = encode_request(join([member.call for member in group]))
        future = self._evaluate.future(request, timeout=timeout, metadata=shown(message.request_id))
        message.carried_by(future)
        return future

    def _let_go(self, group: list[_Member]) -> None:
        """Has each of a group go alone."""
        _answer(group, repeat(None))
        self._leave(group)

    def _arrived(self, group: list[_Member], future: grpc.Future[Response]) -> None:
        try:
            self._leave(group)
        finally:
            self._deal(group, future)

    def _deal(self, group: list[_Member], future: grpc.Future[Response]) -> None:
        if isinstance(future, grpc.RpcError) and future.cancelled():
            # What is cancelled gives no result that could be raised, but is an error itself.
            _answer(group, repeat(future))
            return
        try:
            responses = part(future.result(), [member.call for member in group])
        except grpc.RpcError as error:
            alone = len(group) > 1 and may_be_one_s_fault(call_error(error, self._address))
            _answer(group, repeat(None if alone else error))
        except PullbackError:
            _answer(group, repeat(None))
        else:
            _answer(group, responses)


def _message(group: list[_Member]) -> Message | None:
    return Message(group) if group else None


def _answer(group: Sequence[_Member], outcomes: Iterable[Outcome]) -> None:
    """Sets the outcomes of a group, and wakes it."""
    row = deque(group)
    for member, outcome in zip(group, outcomes, strict=False):
        member.answer(outcome, row)
    _wake_all(row)
