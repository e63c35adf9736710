"""EvaluationService: evaluating, one request or a stream of them, and compiling ahead."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import aclosing

from google.protobuf import duration_pb2

from pullback.v1 import evaluation_pb2 as pb
from pullback_server.errors import Reason, ServiceError, service_error
from pullback_server.registry.names import parse_name
from pullback_server.registry.registry import Registry
from pullback_server.scheduling.scheduler import Scheduler
from pullback_server.services.conversion import outcome_to_wire
from pullback_server.services.requests.evaluations import check_compilation, check_evaluation, check_outcome
from pullback_server.services.requests.limits import Limits
from pullback_server.services.status import duration, service_error_of, status_message
from pullback_server.services.streams import answer_each


class Evaluation:
    """Answers EvaluationService.

    Args:
        registry: Where functions are found.
        scheduler: What evaluates.
        limits: The server's limits.
    """

    def __init__(self, registry: Registry, scheduler: Scheduler, limits: Limits) -> None:
        self._registry = registry
        self._scheduler = scheduler
        self._limits = limits

    async def evaluate(self, request: pb.EvaluateRequest) -> pb.EvaluateResponse:
        """Evaluates one request."""
        began = time.monotonic()
        registered = self._registry.resolve(parse_name(request.function))
        evaluation = check_evaluation(request, registered, self._limits)
        outcome = await self._scheduler.evaluate(evaluation)
        check_outcome(outcome, self._limits)
        return outcome_to_wire(registered, outcome, time.monotonic() - began)

    async def evaluate_stream(
        self, requests: AsyncIterator[pb.EvaluateStreamRequest]
    ) -> AsyncIterator[pb.EvaluateStreamResponse]:
        """Evaluates many requests at once; a failed one is answered with its error."""
        in_flight: set[int] = set()

        async def answer(request: pb.EvaluateStreamRequest) -> pb.EvaluateStreamResponse:
            if request.id in in_flight:
                return _failed(request.id, _duplicate(request.id))
            in_flight.add(request.id)
            try:
                return pb.EvaluateStreamResponse(id=request.id, response=await self.evaluate(request.request))
            except Exception as error:  # noqa: BLE001 -- one failure never ends the stream
                return _failed(request.id, service_error_of(error))
            finally:
                in_flight.discard(request.id)

        at_once = self._limits.in_flight_per_stream
        async with aclosing(answer_each(requests, answer, at_once)) as responses:
            async for response in responses:
                yield response

    async def compile(self, request: pb.CompileRequest) -> AsyncIterator[pb.CompileResponse]:
        """Compiles ahead; says when it begins and when it is ready."""
        began = time.monotonic()
        registered = self._registry.resolve(parse_name(request.function))
        compilation = check_compilation(request, registered, self._limits)
        yield pb.CompileResponse(state=pb.CompileResponse.STATE_STARTED, elapsed=_since(began))
        cached = await self._scheduler.compile(compilation)
        yield pb.CompileResponse(state=pb.CompileResponse.STATE_READY, elapsed=_since(began), cached=cached)


def _since(began: float) -> duration_pb2.Duration:
    return duration(time.monotonic() - began)


def _failed(id_: int, error: ServiceError) -> pb.EvaluateStreamResponse:
    return pb.EvaluateStreamResponse(id=id_, error=status_message(error))


def _duplicate(id_: int) -> ServiceError:
    return service_error(
        Reason.MALFORMED_REQUEST,
        f"the id {id_} belongs to a request that is still in flight on this stream; give each its own",
        id=str(id_),
    )
