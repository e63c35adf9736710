"""Joins the evaluations of a client's threads: what waits for the same derivative travels in one message."""

from __future__ import annotations

import threading
from functools import partial

import grpc

from pullback._channel import Deadline
from pullback._evaluation.calls import Call
from pullback._evaluation.joining import OVERDUE, join, longest, may_be_one_s_fault, message_bytes, part
from pullback._evaluation.lanes import Lanes
from pullback._status import error_from_call
from pullback._stream import call_error
from pullback.codec.evaluation import Response, encode_request
from pullback.errors import PullbackError


class _Member:
    """A call, and where the thread that made it waits if it has to.

    Attributes:
        outcome: Its response, or why the message failed; None if it is to travel alone.
    """

    __slots__ = ("_answered", "call", "deadline", "kind", "nbytes", "outcome", "points")

    def __init__(self, call: Call, timeout: float | None) -> None:
        self.call = call
        self.kind = call.plan.kind
        self.points = 1 if call.points is None else call.points
        self.nbytes = message_bytes(call)
        self.deadline = Deadline(timeout)
        self.outcome: Response | grpc.RpcError | None = None
        # A lock costs a third of an Event, which makes one for each wait.
        self._answered = threading.Lock()
        self._answered.acquire()

    def wait(self) -> bool:
        """Waits for the outcome; False where it did not come in time."""
        remaining = self.deadline.remaining()
        return self._answered.acquire(timeout=-1 if remaining is None else remaining)

    def answer(self, outcome: Response | grpc.RpcError | None) -> None:
        """Sets the outcome."""
        self.outcome = outcome
        self._answered.release()


class Joined:
    """Carries evaluations of many threads in few messages.

    Args:
        evaluate: The method of the channel.
        address: The server's address, for messages.
    """

    def __init__(self, evaluate: grpc.UnaryUnaryMultiCallable[bytes, Response], address: str) -> None:
        self._evaluate = evaluate
        self._address = address
        self._lanes: Lanes[_Member] = Lanes()
        self._lock = threading.Lock()

    def carry(self, call: Call, timeout: float | None) -> Response:
        """Carries one evaluation, alone or with others; it waits for a place, and for its answer.

        Raises:
            grpc.RpcError: If the call fails, or the message in which it travelled.
            DeadlineExceededError: If its time is over before the message's.
        """
        member = _Member(call, timeout)
        with self._lock:
            group = self._lanes.enter(member)
        if group == [member]:
            try:
                return self._alone(member)
            finally:
                self._leave(group)
        if group:
            self._send(group)
        return self._wait(member)

    def _alone(self, member: _Member) -> Response:
        return self._evaluate(encode_request(member.call.request), timeout=member.deadline.remaining())

    def _wait(self, member: _Member) -> Response:
        try:
            in_time = member.wait()
        except BaseException:
            self._withdraw(member)
            raise
        if not in_time:
            self._withdraw(member)
            raise error_from_call("DEADLINE_EXCEEDED", OVERDUE, (), self._address)
        match member.outcome:
            case None:
                return self._alone(member)
            case grpc.RpcError() as error:
                raise error
            case response:
                return response

    def _withdraw(self, member: _Member) -> None:
        with self._lock:
            self._lanes.withdraw(member)

    def _leave(self, group: list[_Member]) -> None:
        """Has those who wait travel in the place of a group that has been answered."""
        with self._lock:
            following = self._lanes.leave(group)
        if following:
            self._send(following)

    def _send(self, group: list[_Member]) -> None:
        timeout = longest([member.deadline.remaining() for member in group])
        try:
            request = encode_request(join([member.call for member in group]))
            future = self._evaluate.future(request, timeout=timeout)
        except ValueError:
            # The channel is closed, and alone each gets to know that.
            self._settle_all(group, None)
            self._leave(group)
            return
        future.add_done_callback(partial(self._arrived, group))

    def _arrived(self, group: list[_Member], future: grpc.Future[Response]) -> None:
        self._leave(group)
        if isinstance(future, grpc.RpcError) and future.cancelled():
            # What is cancelled gives no result that could be raised, but is an error itself.
            self._settle_all(group, future)
            return
        try:
            responses = part(future.result(), [member.call for member in group])
        except grpc.RpcError as error:
            alone = len(group) > 1 and may_be_one_s_fault(call_error(error, self._address))
            self._settle_all(group, None if alone else error)
        except PullbackError:
            self._settle_all(group, None)
        else:
            for member, response in zip(group, responses, strict=True):
                member.answer(response)

    def _settle_all(self, group: list[_Member], outcome: grpc.RpcError | None) -> None:
        for member in group:
            member.answer(outcome)
