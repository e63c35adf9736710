"""Puts a service on the wire: a gRPC handler from a service's descriptor and an object with its methods.

Messages pass gRPC as bytes and are read here, so that a message that cannot be read is an error like any
other, and so that another codec can take the place of the generated classes for a message.
"""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import grpc
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

from pullback.codec.errors import CodecError
from pullback_server.errors import Reason, service_error
from pullback_server.model.tickets import Ticket, ticket
from pullback_server.services.audit import with_peer
from pullback_server.services.calls import OpenCalls
from pullback_server.services.context import Context
from pullback_server.services.requests.messages import held_to
from pullback_server.services.status import REQUEST_ID_KEY, abort, service_error_of
from pullback_server.services.tracing import spanned
from pullback_server.services.watching import (
    Behaviour,
    Watching,
    counted,
    watched,
    watched_answers,
    watched_stream,
)
from pullback_server.telemetry.calls import MethodCalls
from pullback_server.telemetry.requests import accept_request_id, request_id
from pullback_server.telemetry.watch import Watch
from pullback_server.tenants.callers import caller

PRIORITY_KEY: Final = "pullback-priority"
PRIORITIES: Final[Mapping[str | bytes, int]] = {"low": -1, "normal": 0, "high": 1}
_WORD: Final = re.compile(r"(?<!^)(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class Codec:
    """How the messages of one method are read and written.

    Attributes:
        decode: Reads a request; raises CodecError or DecodeError if it is none.
        encode: Writes a response.
    """

    decode: Callable[[bytes], Any]
    encode: Callable[[Any], bytes]


def bind(
    service: ServiceDescriptor,
    servicer: object,
    calls: OpenCalls,
    watch: Watch | None = None,
    largest: int | None = None,
) -> grpc.GenericRpcHandler:
    """The handler of a service.

    Args:
        service: The descriptor, from a generated module.
        servicer: Has a method for each of the service's, named in snake case, that takes a request or an
            asynchronous iterator of them, and gives a response or an asynchronous iterator of them. Where
            both sides stream, it takes what reads the next request, None after the last, and what writes a
            response: iterators between would cost as much as the message does. Its `codecs`, where it has
            them, tell by method how messages are read and written; the generated classes do that for the
            others. Its `tells`, where it has it, names methods that tell of slow requests themselves. It is
            `audited` where the audit log is told from where its callers call.
        calls: Where the calls are counted while they are open.
        watch: What watches calls.
        largest: The most bytes of a request; None for no limit.
    """
    codecs: Mapping[str, Codec] = getattr(servicer, "codecs", {})
    tells: Collection[str] = getattr(servicer, "tells", ())
    audited: bool = getattr(servicer, "audited", False)

    def handler(method: MethodDescriptor) -> grpc.RpcMethodHandler[Any, Any]:
        name = f"{service.name}/{method.name}"
        codec = codecs.get(method.name) or _generated(method)
        if largest is not None:
            decode = held_to(largest, codec.decode, streams=method.client_streaming)
            codec = Codec(decode, codec.encode)
        behaviour = getattr(servicer, _WORD.sub("_", method.name).lower())
        begun = with_peer if audited else _as_it_is
        if watch is None:
            return _handler(method, codec, behaviour, calls, lambda answer, _: begun(answer))
        streams = method.client_streaming or method.server_streaming
        counts = watch.calls.method(name, told=not streams and method.name not in tells)
        counting = Codec(*counted(codec.decode, codec.encode, counts))
        watching = partial(_watched, counts, watch)
        return _handler(method, counting, behaviour, calls, lambda answer, how: begun(watching(answer, how)))

    return grpc.method_handlers_generic_handler(
        service.full_name, {method.name: handler(method) for method in service.methods}
    )


def _generated(method: MethodDescriptor) -> Codec:
    request, response = map(GetMessageClass, (method.input_type, method.output_type))
    return Codec(request.FromString, response.SerializeToString)


def _handler(
    method: MethodDescriptor,
    codec: Codec,
    behaviour: Callable[[Any], Any],
    calls: OpenCalls,
    watching: Callable[[Behaviour, Watching], Behaviour],
) -> grpc.RpcMethodHandler[Any, Any]:
    if method.client_streaming and method.server_streaming:
        both = _both(behaviour, codec, calls)
        return grpc.stream_stream_rpc_method_handler(watching(both, watched_stream))
    read = _read_stream if method.client_streaming else _read
    make, answer, watch = _MAKERS[method.client_streaming, method.server_streaming]
    return make(watching(answer(lambda raw: behaviour(read(codec, raw)), codec, calls), watch))


def _as_it_is(answer: Behaviour) -> Behaviour:
    return answer


def _watched(counts: MethodCalls, watch: Watch, answer: Behaviour, watching: Watching) -> Behaviour:
    behaviour = watching(answer, counts, watch.crashes)
    return behaviour if watch.tracing is None else spanned(behaviour, counts.name, watch.tracing)


def _read(codec: Codec, raw: bytes) -> Any:
    try:
        return codec.decode(raw)
    except (CodecError, DecodeError) as error:
        raise service_error(Reason.MALFORMED_REQUEST, f"the request cannot be read: {error}") from error


async def _read_stream(codec: Codec, raws: AsyncIterator[bytes]) -> AsyncIterator[Any]:
    async for raw in raws:
        yield _read(codec, raw)


def _one(call: Callable[[Any], Any], codec: Codec, calls: OpenCalls) -> Callable[[Any, Context], Any]:
    async def answer(raw: Any, context: Context) -> bytes:
        _begin(context, calls)
        try:
            return codec.encode(await call(raw))
        except Exception as error:  # noqa: BLE001 -- this is where all of them become status
            await abort(context, service_error_of(error))
        raise AssertionError  # abort has raised

    return answer


def _many(call: Callable[[Any], Any], codec: Codec, calls: OpenCalls) -> Callable[[Any, Context], Any]:
    async def answer(raw: Any, context: Context) -> AsyncIterator[bytes]:
        _begin(context, calls)
        try:
            async with aclosing(call(raw)) as responses:
                async for response in responses:
                    yield codec.encode(response)
        except Exception as error:  # noqa: BLE001 -- this is where all of them become status
            await abort(context, service_error_of(error))

    return answer


def _both(call: Callable[..., Any], codec: Codec, calls: OpenCalls) -> Callable[[Any, Context], Any]:
    async def answer(_: Any, context: Context) -> None:
        take = calls.reader(context).read

        async def read() -> Any:
            raw = await take()
            return None if raw is grpc.aio.EOF else _read(codec, raw)

        async def write(response: Any) -> None:
            await context.write(codec.encode(response))

        _begin(context, calls)
        try:
            await call(read, write)
        except Exception as error:  # noqa: BLE001 -- this is where all of them become status
            await abort(context, service_error_of(error))

    return answer


def _begin(context: Context, calls: OpenCalls) -> None:
    """Counts a call and gives it its request id and its ticket.

    One that the caller offers comes back with the answer; one that is made here is told with errors only,
    since metadata that differ from call to call cost as much as a small message.
    """
    calls.add(context)
    offered, priority = _shown(context)
    accepted = accept_request_id(offered)
    request_id.set(accepted)
    remaining = context.time_remaining()
    deadline = None if remaining is None else time.monotonic() + remaining
    ticket.set(Ticket(caller.get().tenant, priority, deadline))
    if offered is not None:
        context.set_trailing_metadata(((REQUEST_ID_KEY, accepted),))


def _shown(context: Context) -> tuple[str | None, int]:
    """The request id that a caller offers, and the priority that it asks for; none and unknown ones are 0."""
    offered, priority = None, 0
    for key, value in context.invocation_metadata() or ():
        if key == REQUEST_ID_KEY and isinstance(value, str):
            offered = value
        elif key == PRIORITY_KEY:
            priority = PRIORITIES.get(value, 0)
    return offered, priority


_MAKERS: Final = {
    (False, False): (grpc.unary_unary_rpc_method_handler, _one, watched),
    (True, False): (grpc.stream_unary_rpc_method_handler, _one, watched_stream),
    (False, True): (grpc.unary_stream_rpc_method_handler, _many, watched_answers),
}
