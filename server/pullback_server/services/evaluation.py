"""EvaluationService: evaluating, one request or a stream of them, and compiling ahead."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import partial
from typing import Final

from google.protobuf import duration_pb2

from pullback.codec import evaluation as codec
from pullback.codec.evaluation import Request, Response
from pullback.v1 import evaluation_pb2 as pb
from pullback_server.errors import Reason, ServiceError, service_error
from pullback_server.model.tickets import ticket
from pullback_server.registry.names import parse_name
from pullback_server.registry.registry import Registry
from pullback_server.scheduling.scheduler import Scheduler
from pullback_server.services.binding import Codec
from pullback_server.services.budget import SMALL, Budgets
from pullback_server.services.conversion import response_of
from pullback_server.services.holding import Room, StreamHold, room_until_the_end
from pullback_server.services.requests.evaluations import check_compilation, check_outcome, check_sent
from pullback_server.services.requests.limits import Limits
from pullback_server.services.requests.templates import Templates
from pullback_server.services.status import duration, service_error_of, status_message
from pullback_server.services.streams import answer_each
from pullback_server.sharing.segments import Segments
from pullback_server.telemetry.evaluations import Evaluations
from pullback_server.tenants.callers import caller

StreamRequest = tuple[int, Request]
"""A request of a stream, with its number."""

StreamResponse = tuple[int, Response | bytes]
"""An answer of a stream: a response or the serialized Status of an error, with the request's number."""


class Evaluation:
    """Answers EvaluationService.

    Args:
        registry: Where functions are found.
        scheduler: What evaluates.
        limits: The server's limits.
        budgets: What may be in hand.
        segments: The memory that clients have handed over.
        watch: What watches evaluations.
    """

    tells: Final = frozenset({"Evaluate"})
    codecs: Final[Mapping[str, Codec]] = {
        "Evaluate": Codec(codec.decode_request, codec.encode_response),
        "EvaluateStream": Codec(
            codec.decode_stream_request, lambda numbered: codec.encode_stream_response(*numbered)
        ),
    }

    def __init__(
        self,
        registry: Registry,
        scheduler: Scheduler,
        limits: Limits,
        budgets: Budgets,
        segments: Segments | None = None,
        watch: Evaluations | None = None,
    ) -> None:
        self._watch = watch
        self._budgets = budgets
        self._room = room_until_the_end(budgets)
        self._registry = registry
        self._scheduler = scheduler
        self._limits = limits
        self._templates = Templates(registry, limits, segments)

    async def evaluate(self, request: Request) -> Response:
        """Evaluates one request."""
        return await self._evaluate(request, self._room)

    async def _evaluate(self, request: Request, room: Room) -> Response:
        began = time.monotonic()
        claim = ticket.get()
        watch = self._watch
        number = None
        try:
            revision, evaluation = self._templates.evaluation(request, claim.tenant)
            kind, points = evaluation.kind, evaluation.points
            if watch is not None:
                number = watch.begin(began, claim.tenant, revision, kind, points)
            nbytes = kind.result_bytes * (1 if points is None else points)
            foreseen = evaluation.results is None and kind.result_leaves > 0
            if nbytes > SMALL and evaluation.results is None:
                check_sent(nbytes, self._limits)
                if foreseen:
                    await room(nbytes)
            outcome = await self._scheduler.evaluate(evaluation, claim)
            sent = check_outcome(outcome, self._limits)
            if sent > SMALL and not foreseen:
                await self._wait(sent, room)
        except BaseException as error:
            if watch is not None:
                watch.fail(number, began, claim.tenant, error)
            raise
        now = time.monotonic()
        if number is not None and watch is not None:
            watch.end(number, now, outcome.timing)
        return response_of(revision, outcome, now - began)

    async def _wait(self, nbytes: int, room: Room) -> None:
        """Takes room for results that are there already; they take some while they wait for it.

        All at once, also for what was known before beside sparse results: calls that have some and wait for
        more could wait for each other.

        Raises:
            ServiceError: OVERLOADED or TENANT_OVERLOADED if too many wait, RESULT_TOO_LARGE if there never
                can be room.
        """
        computed, tenant = self._budgets.computed, caller.get().tenant
        computed.take_at_once(nbytes)
        try:
            await room(nbytes)
        finally:
            computed.give_back(nbytes, tenant)

    async def evaluate_stream(
        self,
        read: Callable[[], Awaitable[StreamRequest | None]],
        write: Callable[[StreamResponse], Awaitable[None]],
    ) -> None:
        """Evaluates many requests at once; a failed one is answered with its error."""
        in_flight: set[int] = set()
        hold = StreamHold(self._budgets)

        async def take() -> tuple[int, StreamRequest] | None:
            numbered = await read()
            return None if numbered is None else (await hold.admit(numbered[1]), numbered)

        async def answer(held: tuple[int, StreamRequest]) -> tuple[int, StreamResponse]:
            number, (id_, request) = held
            if id_ in in_flight:
                return number, (id_, _failed(_duplicate(id_)))
            in_flight.add(id_)
            try:
                hold.require(number)
                return number, (id_, await self._evaluate(request, partial(hold.room, number)))
            except Exception as error:  # noqa: BLE001 -- one failure never ends the stream
                return number, (id_, _failed(service_error_of(error)))
            finally:
                in_flight.discard(id_)

        async def send(held: tuple[int, StreamResponse]) -> None:
            number, response = held
            await write(response)
            hold.sent(number)

        try:
            await answer_each(take, answer, send, self._limits.in_flight_per_stream)
        finally:
            hold.close()

    async def compile(self, request: pb.CompileRequest) -> AsyncIterator[pb.CompileResponse]:
        """Compiles ahead; says when it begins and when it is ready."""
        began = time.monotonic()
        tenant = caller.get().tenant
        registered = self._registry.resolve(parse_name(request.function, tenant), tenant)
        compilation = check_compilation(request, registered, self._limits)
        yield pb.CompileResponse(state=pb.CompileResponse.STATE_STARTED, elapsed=_since(began))
        cached = await self._scheduler.compile(compilation)
        yield pb.CompileResponse(state=pb.CompileResponse.STATE_READY, elapsed=_since(began), cached=cached)


def _since(began: float) -> duration_pb2.Duration:
    return duration(time.monotonic() - began)


def _failed(error: ServiceError) -> bytes:
    return status_message(error).SerializeToString()


def _duplicate(id_: int) -> ServiceError:
    return service_error(
        Reason.MALFORMED_REQUEST,
        f"the id {id_} belongs to a request that is still in flight on this stream; give each its own",
        id=str(id_),
    )
