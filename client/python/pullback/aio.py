"""The asynchronous client: the twin of `client`, over `grpc.aio`."""

# ruff: noqa: ASYNC109 -- a timeout is sent to the server as the call's deadline; asyncio.timeout is not

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import grpc
import grpc.aio

from pullback._aio_administration import AsyncAdministration
from pullback._aio_function import AsyncFunction
from pullback._aio_joined import AsyncJoined
from pullback._aio_stream import AsyncStream, call_error
from pullback._channel import (
    DEFAULT_TIMEOUT,
    POLL_INTERVAL,
    STARTUP_TIMEOUT,
    Deadline,
    announcement,
    is_unhealthy,
    more_telling,
    options,
    pause_before_retry,
)
from pullback._credentials import Authorized, Tls, Token, security
from pullback._descriptions import Capabilities, Health, capabilities_from_wire, details_from_wire
from pullback._embedded import EmbeddedServer
from pullback._evaluation.calls import Call
from pullback._evaluation.compilation import NOT_STARTED, Progress, progress_from_wire
from pullback._evaluation.joining import joinable
from pullback._methods import (
    COMPILE,
    DELETE_FUNCTION,
    EVALUATE,
    GET_CAPABILITIES,
    GET_FUNCTION,
    GRANT_FUNCTION,
    HEALTH_CHECK,
    LIST_FUNCTIONS,
    LIST_MISSING_CONSTANTS,
    REGISTER_FUNCTION,
    REVOKE_FUNCTION,
    UPLOAD_CONSTANT,
    UPLOAD_PROGRAM,
    Method,
)
from pullback._names import function_name, revision_name
from pullback._priority import Priority, shown
from pullback._registration import Registration, prepare
from pullback._sharing.lender import Lender, lender_for
from pullback._sources.program import Source
from pullback._tracing import traced
from pullback._trip import Trip, request_ids
from pullback.codec import evaluation
from pullback.errors import DeadlineExceededError, PullbackError, UnavailableError
from pullback.v1 import capabilities_pb2, evaluation_pb2, functions_pb2

__all__ = ["AsyncClient", "AsyncFunction", "connect", "local"]

Request = TypeVar("Request")
Response = TypeVar("Response")


class AsyncClient:
    """A connection to a server; made by `connect` or `local`, used as an asynchronous context manager.

    It belongs to the event loop in which it was made. Otherwise it is as `pullback.Client`.

    Args:
        channel: The channel, which the client closes at its end.
        address: The server's address, for messages.
        timeout: How many seconds a call may take with all its tries, where it does not say; None is
            without end.
        lender: What shares memory with the server; None where everything goes in messages.
        join: Whether evaluations that are made at the same time travel together.

    Attributes:
        patient: Whether a server that has answered before, and is away, is waited for: some 75 seconds, and
            within a call's timeout.
    """

    def __init__(
        self,
        channel: grpc.aio.Channel,
        address: str,
        timeout: float | None,
        lender: Lender | None = None,
        *,
        join: bool = True,
    ) -> None:
        self.address = address
        self.timeout = timeout
        self.patient = True
        self._served = False
        self._request_ids = request_ids()
        self._channel = channel
        self._lender = lender
        self._methods: dict[str, grpc.aio.UnaryUnaryMultiCallable[Any, Any]] = {}
        self._joined = AsyncJoined(self._method(EVALUATE), address) if join else None

    async def register(
        self,
        source: Source,
        *examples: Any,
        name: str | None = None,
        labels: Mapping[str, str] | None = None,
        description: str = "",
        max_trips: int | None = None,
        timeout: float | None = None,
    ) -> AsyncFunction:
        """Registers a function under a name, as `Client.register`.

        Raises:
            ExportError: If a Python function cannot be exported (`pullback.export.errors` says why).
            InvalidArgumentError: If the source, the examples or the name will not do.
            PullbackError: If a call fails.
        """
        registration = prepare(
            source,
            examples,
            name=name,
            labels=labels or {},
            description=description,
            max_trips=max_trips,
        )
        await self._upload_constants(registration, timeout)
        if registration.upload:
            await self.upload(UPLOAD_PROGRAM, registration.chunks, timeout)
        response = await self.call(REGISTER_FUNCTION, registration.request, timeout)
        return AsyncFunction(self, registration.details(response.function))

    async def function(self, reference: str, *, timeout: float | None = None) -> AsyncFunction:
        """A registered function, by `name` or `name@digest`, as `Client.function`.

        Raises:
            NotFoundError: If there is none.
            PullbackError: If the call fails.
        """
        request = functions_pb2.GetFunctionRequest(name=revision_name(reference))
        response = await self.call(GET_FUNCTION, request, timeout)
        return AsyncFunction(self, details_from_wire(response.function))

    async def functions(
        self,
        *,
        labels: Mapping[str, str] | None = None,
        tenant: str | None = None,
        page_size: int = 0,
        timeout: float | None = None,
    ) -> AsyncIterator[AsyncFunction]:
        """All registered functions in the order of their names, as `Client.functions`.

        Raises:
            PullbackError: If a call fails.
        """
        request = functions_pb2.ListFunctionsRequest(
            page_size=page_size, labels=labels or {}, tenant=tenant or ""
        )
        while True:
            page = await self.call(LIST_FUNCTIONS, request, timeout)
            for message in page.functions:
                yield AsyncFunction(self, details_from_wire(message))
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def delete(self, name: str, *, timeout: float | None = None) -> None:
        """Deletes a function with all its revisions.

        Raises:
            NotFoundError: If there is none.
            PullbackError: If the call fails.
        """
        request = functions_pb2.DeleteFunctionRequest(name=function_name(name))
        await self.call(DELETE_FUNCTION, request, timeout)

    async def grant(self, name: str, tenant: str, *, timeout: float | None = None) -> AsyncFunction:
        """Lets another tenant see and evaluate a function, as `Client.grant`.

        Raises:
            NotFoundError: If there is no such function or tenant.
            PullbackError: If the call fails.
        """
        request = functions_pb2.GrantFunctionRequest(name=function_name(name), tenant=tenant)
        response = await self.call(GRANT_FUNCTION, request, timeout)
        return AsyncFunction(self, details_from_wire(response.function))

    async def revoke(self, name: str, tenant: str, *, timeout: float | None = None) -> AsyncFunction:
        """Takes a grant back, as `Client.revoke`.

        Raises:
            NotFoundError: If there is no such function.
            PullbackError: If the call fails.
        """
        request = functions_pb2.RevokeFunctionRequest(name=function_name(name), tenant=tenant)
        response = await self.call(REVOKE_FUNCTION, request, timeout)
        return AsyncFunction(self, details_from_wire(response.function))

    @property
    def administration(self) -> AsyncAdministration:
        """What concerns the whole server, for administrators."""
        return AsyncAdministration(self)

    async def capabilities(self, *, timeout: float | None = None) -> Capabilities:
        """What the server supports.

        Raises:
            PullbackError: If the call fails.
        """
        response = await self.call(GET_CAPABILITIES, capabilities_pb2.GetCapabilitiesRequest(), timeout)
        return capabilities_from_wire(response)

    async def health(self, *, timeout: float | None = None) -> Health:
        """Whether the server serves.

        Raises:
            PullbackError: If the call fails, as it does where nothing listens.
        """
        trip = self._trip(timeout)
        try:
            return await self._method(HEALTH_CHECK)(b"", timeout=trip.remaining(), metadata=trip.alone())
        except grpc.aio.AioRpcError as error:
            failure = call_error(error, self.address, trip.sent_as)
        if is_unhealthy(failure):
            return Health.NOT_SERVING
        raise failure

    def stream(self, *, in_flight: int = 64) -> AsyncStream:
        """Opens a stream for many evaluations at once, as `Client.stream`."""
        return self.open_stream(in_flight, resumes=self.patient)

    def open_stream(self, in_flight: int, *, resumes: bool) -> AsyncStream:
        """Opens a stream; maps, which mend what breaks themselves, have it end where the server goes away."""
        return AsyncStream(
            self._channel,
            self.address,
            in_flight,
            self._lender,
            request_id=next(self._request_ids),
            resumes=resumes,
            served=self._served,
        )

    async def close(self) -> None:
        """Closes the connection; calls in flight fail."""
        await self._channel.close()
        if self._lender is not None:
            self._lender.close()

    async def _upload_constants(self, registration: Registration, timeout: float | None) -> None:
        if registration.constants:
            request = functions_pb2.ListMissingConstantsRequest(digests=registration.constants)
            missing = await self.call(LIST_MISSING_CONSTANTS, request, timeout)
            for digest in missing.missing_digests:
                chunks = partial(registration.constant_chunks, digest)
                await self.upload(UPLOAD_CONSTANT, chunks, timeout)

    async def upload(
        self,
        method: Method[Request, Response],
        chunks: Callable[[], Iterator[Request]],
        timeout: float | None,
    ) -> Response:
        """Calls a method that takes many messages and gives one, with retries.

        Args:
            method: The method.
            chunks: Makes the messages, for each try anew.
            timeout: In seconds; None is the client's.

        Raises:
            PullbackError: If the call fails.
        """
        call = self._channel.stream_unary(method.path, method.serialize, method.deserialize)
        return await self._try(
            lambda trip: call(chunks(), timeout=trip.remaining(), metadata=trip.alone()), timeout
        )

    async def download(
        self, method: Method[Request, Response], request: Request, timeout: float
    ) -> AsyncIterator[Response]:
        """Calls a method that takes one message and gives many, without retries.

        Raises:
            PullbackError: If the call fails.
        """
        call = self._channel.unary_stream(method.path, method.serialize, method.deserialize)
        trip = self._trip(timeout)
        try:
            async for message in call(request, timeout=timeout, metadata=trip.alone()):
                yield message
        except grpc.aio.AioRpcError as error:
            failure = call_error(error, self.address, trip.sent_as)
        else:
            return
        raise failure

    async def follow_compilation(
        self,
        request: evaluation_pb2.CompileRequest,
        on_progress: Callable[[Progress], None],
        timeout: float | None,
    ) -> Progress:
        """Calls Compile and gives its last report; for `AsyncFunction.compile`."""
        method = COMPILE
        call = self._channel.unary_stream(method.path, method.serialize, method.deserialize)

        async def follow(trip: Trip) -> Progress:
            progress = NOT_STARTED
            async for message in call(request, timeout=trip.remaining(), metadata=trip.alone()):
                progress = progress_from_wire(message)
                on_progress(progress)
            return progress

        return await self._try(follow, timeout)

    async def evaluate(self, call: Call, timeout: float | None) -> evaluation.Response:
        """Carries an evaluation, in shared memory what is large; for `AsyncFunction`.

        Raises:
            PullbackError: If the call fails.
        """

        async def send(request: evaluation.Request) -> evaluation.Response:
            return await self.call(EVALUATE, evaluation.encode_request(request), timeout)

        if self._joined is not None and joinable(call):
            return await self._try(partial(self._joined.carry, call), timeout)
        if self._lender is None:
            return await send(call.request)
        return await self._lender.carry_async(call.request, call.result_bytes, send)

    async def call(
        self, method: Method[Request, Response], request: Request, timeout: float | None
    ) -> Response:
        """Calls a method that takes one message and gives one, with retries.

        Raises:
            PullbackError: If the call fails.
        """
        call = self._method(method)
        announced = announcement(request)
        return await self._try(
            lambda trip: call(request, timeout=trip.remaining(), metadata=trip.alone(announced)), timeout
        )

    def _method(
        self, method: Method[Request, Response]
    ) -> grpc.aio.UnaryUnaryMultiCallable[Request, Response]:
        made = self._methods.get(method.path)
        if made is None:
            made = self._channel.unary_unary(method.path, method.serialize, method.deserialize)
            self._methods[method.path] = made
        return made

    def _trip(self, timeout: float | None) -> Trip:
        return Trip(next(self._request_ids), self.timeout if timeout is None else timeout)

    async def _try(self, attempt: Callable[[Trip], Awaitable[Response]], timeout: float | None) -> Response:
        trip = self._trip(timeout)
        failure: PullbackError | None = None
        for number in itertools.count(1):
            try:
                response = await attempt(trip)
            except grpc.aio.AioRpcError as error:
                failure = more_telling(call_error(error, self.address, trip.sent_as), failure)
            else:
                self._served = self.patient
                return response
            pause = pause_before_retry(failure, number, trip.remaining(), served=self._served)
            if pause is None:
                raise failure
            await asyncio.sleep(pause)
        raise AssertionError

    async def _itself(self) -> Self:
        return self

    def __await__(self) -> Generator[Any, None, Self]:
        """`await connect(...)` gives the client too, for those who close it themselves."""
        return self._itself().__await__()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def connect(
    address: str = "localhost:7450",
    *,
    timeout: float | None = DEFAULT_TIMEOUT,
    token: Token | None = None,
    tls: bool | Tls = False,
    insecure: bool = False,
    priority: Priority = "normal",
    credentials: grpc.ChannelCredentials | None = None,
    shared_memory: bool = True,
    join: bool = True,
) -> AsyncClient:
    """Connects to a server; to be called where an event loop runs.

    Both `async with connect(...) as client` and `client = await connect(...)` give the client.

    Args:
        address: `host:port`, or another name that gRPC resolves, such as `unix:/path`.
        timeout: How many seconds a call may take with all its tries, where it does not say; None is
            without end.
        token: As in `pullback.connect`; a function gives it at once.
        tls: As in `pullback.connect`.
        insecure: As in `pullback.connect`.
        priority: As in `pullback.connect`.
        credentials: As in `pullback.connect`.
        shared_memory: As in `pullback.connect`.
        join: Whether small evaluations that tasks make at the same time travel together.

    Raises:
        InvalidArgumentError: If a file for TLS cannot be read, the token cannot be sent, or there is no such
            priority.
    """
    lender = lender_for(address) if shared_memory else None
    secured = security(address, token, tls, credentials, insecure)
    configured = [*options(address), *secured.options]
    channel: Any = (
        grpc.aio.insecure_channel(address, configured)
        if secured.credentials is None
        else grpc.aio.secure_channel(address, secured.credentials, configured)
    )
    authorization = shown(secured.authorization, priority)
    if authorization is not None:
        channel = Authorized(channel, authorization)
    return AsyncClient(traced(channel), address, timeout, lender, join=join)


@asynccontextmanager
async def local(
    devices: str = "auto",
    *,
    data_dir: str | Path | None = None,
    timeout: float | None = DEFAULT_TIMEOUT,
    startup_timeout: float = STARTUP_TIMEOUT,
    join: bool = True,
) -> AsyncIterator[AsyncClient]:
    """An embedded server with a client, as `pullback.local`.

    Raises:
        ServerStartError: If the server is not installed or does not start.
    """
    server = EmbeddedServer(devices, data_dir, startup_timeout)
    deadline = Deadline(startup_timeout)
    try:
        address = await asyncio.to_thread(server.start)
        async with connect(address, timeout=timeout, join=join) as client:
            # Nobody starts it again.
            client.patient = False
            await _wait_until_serving(client, server, deadline)
            yield client
    finally:
        await asyncio.to_thread(server.stop)


async def _wait_until_serving(client: AsyncClient, server: EmbeddedServer, deadline: Deadline) -> None:
    while await _health(client, deadline) is not Health.SERVING:
        if server.ended or deadline.remaining() == 0.0:
            await asyncio.to_thread(server.stop)
            raise server.failure()
        await asyncio.sleep(POLL_INTERVAL)


async def _health(client: AsyncClient, deadline: Deadline) -> Health:
    try:
        return await client.health(timeout=deadline.remaining())
    except (UnavailableError, DeadlineExceededError):
        return Health.UNKNOWN
