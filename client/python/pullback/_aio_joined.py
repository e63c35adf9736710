"""Joins the evaluations of a client's tasks: the twin of `_joined`, over `grpc.aio`."""

from __future__ import annotations

import asyncio

import grpc
import grpc.aio

from pullback._aio_stream import call_error
from pullback._evaluation.calls import Call
from pullback._evaluation.joining import OVERDUE, join, longest, may_be_one_s_fault, message_bytes, part
from pullback._evaluation.lanes import Lanes
from pullback._evaluation.messages import Message, leave
from pullback._status import error_from_call
from pullback._trip import Trip, shown
from pullback.codec.evaluation import Response, encode_request
from pullback.errors import PullbackError

Outcome = Response | grpc.aio.AioRpcError | PullbackError | None


class _Member:
    """A call, and what the task that made it waits for if it has to.

    Attributes:
        outcome: The future of its response, or of why the message failed; None if it is to travel alone.
    """

    __slots__ = ("call", "kind", "message", "nbytes", "outcome", "points", "trip")

    def __init__(self, call: Call, trip: Trip, outcome: asyncio.Future[Outcome]) -> None:
        self.call = call
        self.kind = call.plan.kind
        self.points = 1 if call.points is None else call.points
        self.nbytes = message_bytes(call)
        self.trip = trip
        self.message: Message | None = None
        self.outcome = outcome

    def answer(self, outcome: Outcome) -> None:
        """Sets the outcome, unless nobody waits for it any more."""
        if not self.outcome.done():
            self.outcome.set_result(outcome)


class AsyncJoined:
    """Carries evaluations of many tasks in few messages.

    Args:
        evaluate: The method of the channel.
        address: The server's address, for messages.
    """

    def __init__(self, evaluate: grpc.aio.UnaryUnaryMultiCallable[bytes, Response], address: str) -> None:
        self._evaluate = evaluate
        self._address = address
        self._loop = asyncio.get_running_loop()
        self._lanes: Lanes[_Member] = Lanes()
        # The loop itself keeps no task alive.
        self._messages: set[asyncio.Task[None]] = set()

    async def carry(self, call: Call, trip: Trip) -> Response:
        """Carries one evaluation, alone or with others; it waits for a place, and for its answer.

        Raises:
            grpc.aio.AioRpcError: If the call fails, or the message in which it travelled.
            DeadlineExceededError: If its time is over before the message's.
        """
        member = _Member(call, trip, self._loop.create_future())
        group = self._lanes.enter(member)
        if group == [member]:
            try:
                return await self._alone(member)
            finally:
                self._leave(group)
        self._start(group)
        return await self._wait(member)

    async def _alone(self, member: _Member) -> Response:
        trip = member.trip
        request = encode_request(member.call.request)
        return await self._evaluate(request, timeout=trip.remaining(), metadata=trip.alone())

    async def _wait(self, member: _Member) -> Response:
        # asyncio.timeout does the same, and costs three times as much.
        remaining = member.trip.remaining()
        timer = None if remaining is None else self._loop.call_later(remaining, self._overdue, member)
        try:
            outcome = await member.outcome
        except asyncio.CancelledError:
            self._give_up(member)
            raise
        finally:
            if timer is not None:
                timer.cancel()
        match outcome:
            case None:
                return await self._alone(member)
            case grpc.aio.AioRpcError() | PullbackError() as error:
                raise error
            case response:
                return response

    def _overdue(self, member: _Member) -> None:
        self._give_up(member)
        sent_as = member.trip.sent_as
        member.answer(error_from_call("DEADLINE_EXCEEDED", OVERDUE, (), self._address, sent_as))

    def _give_up(self, member: _Member) -> None:
        """Takes back a call whose caller goes; under way, it takes its message along if it is the last."""
        self._lanes.withdraw(member)
        deserted = leave(member)
        if deserted is not None:
            deserted.cancel()

    def _leave(self, group: list[_Member]) -> None:
        """Has those who wait travel in the place of a group that has been answered."""
        self._start(self._lanes.leave(group))

    def _start(self, group: list[_Member]) -> None:
        if group:
            task = self._loop.create_task(self._send(Message(group), group), name="pullback-joined")
            self._messages.add(task)
            task.add_done_callback(self._messages.discard)

    async def _send(self, message: Message, group: list[_Member]) -> None:
        outcomes: list[Outcome] = [None] * len(group)
        try:
            if not message.deserted:
                outcomes = await self._outcomes(message, group)
        finally:
            self._leave(group)
            for member, outcome in zip(group, outcomes, strict=True):
                member.answer(outcome)

    async def _outcomes(self, message: Message, group: list[_Member]) -> list[Outcome]:
        calls = [member.call for member in group]
        timeout = longest([member.trip.remaining() for member in group])
        try:
            request, metadata = encode_request(join(calls)), shown(message.request_id)
            rpc = self._evaluate(request, timeout=timeout, metadata=metadata)
            message.carried_by(rpc)
            return [*part(await rpc, calls)]
        except grpc.aio.AioRpcError as error:
            alone = len(group) > 1 and may_be_one_s_fault(call_error(error, self._address))
            return [None if alone else error] * len(group)
        except (PullbackError, grpc.aio.UsageError, ValueError):
            # The channel is closed, or the response makes no sense: alone each gets to know that.
            return [None] * len(group)
