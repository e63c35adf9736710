"""The synchronous client. Its twin is `aio`; what both share does no I/O and stands in modules beside."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import grpc

from pullback._administration import Administration
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
from pullback._function import Function
from pullback._joined import Joined
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
from pullback._stream import Stream, call_error
from pullback._tracing import traced
from pullback._trip import Trip, request_ids
from pullback.codec import evaluation
from pullback.errors import DeadlineExceededError, PullbackError, UnavailableError
from pullback.v1 import capabilities_pb2, evaluation_pb2, functions_pb2

Request = TypeVar("Request")
Response = TypeVar("Response")


class Client:
    """A connection to a server; made by `connect` or `local`, used as a context manager.

    It may be used from several threads at once. Calls that fail for a reason that passes by itself are
    tried again within their timeout.

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
        channel: grpc.Channel,
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
        self._methods: dict[str, grpc.UnaryUnaryMultiCallable[Any, Any]] = {}
        self._joined = Joined(self._method(EVALUATE), address) if join else None

    def register(
        self,
        source: Source,
        *examples: Any,
        name: str | None = None,
        labels: Mapping[str, str] | None = None,
        description: str = "",
        max_trips: int | None = None,
        timeout: float | None = None,
    ) -> Function:
        """Registers a function under a name; a name that is in use gets a new revision.

        Args:
            source: A function that JAX can trace, a PyTorch module, a `Formula`, `StableHLO`, `Exported` or
                `Onnx`, what these are made of, or a `Program`.
            *examples: For a function or module: example arguments, whose shapes and dtypes count.
            name: The name; None is the Python function's own, or one made from the program's digest.
            labels: Labels to find it by.
            description: A text for people.
            max_trips: How many trips any loop of the function makes whose number of trips depends on data.
                Reverse mode is laid out for it, and right with more trips, too.
            timeout: In seconds; None is the client's.

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
        self._upload_constants(registration, timeout)
        if registration.upload:
            self.upload(UPLOAD_PROGRAM, registration.chunks, timeout)
        response = self.call(REGISTER_FUNCTION, registration.request, timeout)
        return Function(self, registration.details(response.function))

    def function(self, reference: str, *, timeout: float | None = None) -> Function:
        """A registered function, by `name`, or by `name@digest` with 8 digits of a revision's digest or more.

        One of another tenant is `tenant/name`.

        Raises:
            NotFoundError: If there is none.
            PullbackError: If the call fails.
        """
        request = functions_pb2.GetFunctionRequest(name=revision_name(reference))
        return Function(self, details_from_wire(self.call(GET_FUNCTION, request, timeout).function))

    def functions(
        self,
        *,
        labels: Mapping[str, str] | None = None,
        tenant: str | None = None,
        page_size: int = 0,
        timeout: float | None = None,
    ) -> Iterator[Function]:
        """Registered functions in the order of their tenants and names, fetched page by page.

        Args:
            labels: Labels that a function must have, each with this value.
            tenant: Whose functions; None is those of the caller's own tenant. Of another tenant one gets
                those that were granted, and administrators all; `*` is all tenants.
            page_size: How many to fetch at once; 0 is the server's choice.
            timeout: In seconds, for each page; None is the client's.

        Raises:
            PullbackError: If a call fails.
        """
        request = functions_pb2.ListFunctionsRequest(
            page_size=page_size, labels=labels or {}, tenant=tenant or ""
        )
        while True:
            page = self.call(LIST_FUNCTIONS, request, timeout)
            for message in page.functions:
                yield Function(self, details_from_wire(message))
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def delete(self, name: str, *, timeout: float | None = None) -> None:
        """Deletes a function with all its revisions.

        Raises:
            NotFoundError: If there is none.
            PullbackError: If the call fails.
        """
        request = functions_pb2.DeleteFunctionRequest(name=function_name(name))
        self.call(DELETE_FUNCTION, request, timeout)

    def grant(self, name: str, tenant: str, *, timeout: float | None = None) -> Function:
        """Lets another tenant see and evaluate a function, with its revisions to come.

        Args:
            name: The function.
            tenant: The name of the tenant; `*` is all tenants.
            timeout: In seconds; None is the client's.

        Returns:
            The function, with its `grants`.

        Raises:
            NotFoundError: If there is no such function or tenant.
            PullbackError: If the call fails.
        """
        request = functions_pb2.GrantFunctionRequest(name=function_name(name), tenant=tenant)
        response = self.call(GRANT_FUNCTION, request, timeout)
        return Function(self, details_from_wire(response.function))

    def revoke(self, name: str, tenant: str, *, timeout: float | None = None) -> Function:
        """Takes a grant back, if there is one; from the next request on it does not hold.

        Args:
            name: The function.
            tenant: The name of the tenant; `*` is the grant to all tenants, beside which those by name stay.
            timeout: In seconds; None is the client's.

        Returns:
            The function, with the `grants` that are left.

        Raises:
            NotFoundError: If there is no such function.
            PullbackError: If the call fails.
        """
        request = functions_pb2.RevokeFunctionRequest(name=function_name(name), tenant=tenant)
        response = self.call(REVOKE_FUNCTION, request, timeout)
        return Function(self, details_from_wire(response.function))

    @property
    def administration(self) -> Administration:
        """What concerns the whole server, for administrators."""
        return Administration(self)

    def capabilities(self, *, timeout: float | None = None) -> Capabilities:
        """What the server supports.

        Raises:
            PullbackError: If the call fails.
        """
        response = self.call(GET_CAPABILITIES, capabilities_pb2.GetCapabilitiesRequest(), timeout)
        return capabilities_from_wire(response)

    def health(self, *, timeout: float | None = None) -> Health:
        """Whether the server serves.

        Raises:
            PullbackError: If the call fails, as it does where nothing listens.
        """
        trip = self._trip(timeout)
        try:
            return self._method(HEALTH_CHECK)(b"", timeout=trip.remaining(), metadata=trip.alone())
        except grpc.RpcError as error:
            failure = call_error(error, self.address, trip.sent_as)
        if is_unhealthy(failure):
            return Health.NOT_SERVING
        raise failure

    def stream(self, *, in_flight: int = 64) -> Stream:
        """Opens a stream for many evaluations at once, of any functions.

        Args:
            in_flight: The most evaluations without an answer; another one waits until it has a place.
        """
        return self.open_stream(in_flight, resumes=self.patient)

    def open_stream(self, in_flight: int, *, resumes: bool) -> Stream:
        """Opens a stream; maps, which mend what breaks themselves, have it end where the server goes away."""
        return Stream(
            self._channel,
            self.address,
            in_flight,
            self._lender,
            request_id=next(self._request_ids),
            resumes=resumes,
            served=self._served,
        )

    def close(self) -> None:
        """Closes the connection; calls in flight fail. Results stay as they are."""
        self._channel.close()
        if self._lender is not None:
            self._lender.close()

    def _upload_constants(self, registration: Registration, timeout: float | None) -> None:
        if registration.constants:
            request = functions_pb2.ListMissingConstantsRequest(digests=registration.constants)
            missing = self.call(LIST_MISSING_CONSTANTS, request, timeout)
            for digest in missing.missing_digests:
                chunks = partial(registration.constant_chunks, digest)
                self.upload(UPLOAD_CONSTANT, chunks, timeout)

    def upload(
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
        return self._try(
            lambda trip: call(chunks(), timeout=trip.remaining(), metadata=trip.alone()), timeout
        )

    def download(
        self, method: Method[Request, Response], request: Request, timeout: float
    ) -> Iterator[Response]:
        """Calls a method that takes one message and gives many, without retries.

        Raises:
            PullbackError: If the call fails.
        """
        call = self._channel.unary_stream(method.path, method.serialize, method.deserialize)
        trip = self._trip(timeout)
        try:
            yield from call(request, timeout=timeout, metadata=trip.alone())
        except grpc.RpcError as error:
            failure = call_error(error, self.address, trip.sent_as)
        else:
            return
        raise failure

    def follow_compilation(
        self,
        request: evaluation_pb2.CompileRequest,
        on_progress: Callable[[Progress], None],
        timeout: float | None,
    ) -> Progress:
        """Calls Compile and gives its last report; for `Function.compile`."""
        method = COMPILE
        call = self._channel.unary_stream(method.path, method.serialize, method.deserialize)

        def follow(trip: Trip) -> Progress:
            progress = NOT_STARTED
            for message in call(request, timeout=trip.remaining(), metadata=trip.alone()):
                progress = progress_from_wire(message)
                on_progress(progress)
            return progress

        return self._try(follow, timeout)

    def evaluate(self, call: Call, timeout: float | None) -> evaluation.Response:
        """Carries an evaluation, in shared memory what is large; for `Function`.

        Raises:
            PullbackError: If the call fails.
        """

        def send(request: evaluation.Request) -> evaluation.Response:
            return self.call(EVALUATE, evaluation.encode_request(request), timeout)

        if self._joined is not None and joinable(call):
            return self._try(partial(self._joined.carry, call), timeout)
        if self._lender is None:
            return send(call.request)
        return self._lender.carry(call.request, call.result_bytes, send)

    def call(self, method: Method[Request, Response], request: Request, timeout: float | None) -> Response:
        """Calls a method that takes one message and gives one, with retries.

        Raises:
            PullbackError: If the call fails.
        """
        call = self._method(method)
        announced = announcement(request)
        return self._try(
            lambda trip: call(request, timeout=trip.remaining(), metadata=trip.alone(announced)), timeout
        )

    def _method(self, method: Method[Request, Response]) -> grpc.UnaryUnaryMultiCallable[Request, Response]:
        made = self._methods.get(method.path)
        if made is None:
            made = self._channel.unary_unary(method.path, method.serialize, method.deserialize)
            self._methods[method.path] = made
        return made

    def _trip(self, timeout: float | None) -> Trip:
        return Trip(next(self._request_ids), self.timeout if timeout is None else timeout)

    def _try(self, attempt: Callable[[Trip], Response], timeout: float | None) -> Response:
        trip = self._trip(timeout)
        failure: PullbackError | None = None
        for number in itertools.count(1):
            try:
                response = attempt(trip)
            except grpc.RpcError as error:
                failure = more_telling(call_error(error, self.address, trip.sent_as), failure)
            else:
                self._served = self.patient
                return response
            pause = pause_before_retry(failure, number, trip.remaining(), served=self._served)
            if pause is None:
                raise failure
            time.sleep(pause)
        raise AssertionError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


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
) -> Client:
    """Connects to a server; the connection itself is made with the first call.

    Args:
        address: `host:port`, or another name that gRPC resolves, such as `unix:/path`.
        timeout: How many seconds a call may take with all its tries, where it does not say; None is
            without end.
        token: The token that says who calls, where the server asks; or a function that gives the one of now,
            which is called for each call. It goes over TLS, and in plain text on this machine only.
        tls: Whether to use TLS, as whom and trusting whom; False is plain text. A Unix domain socket needs
            none.
        insecure: Whether a token may cross a network in plain text.
        priority: Where calls have to wait for a device, those of a higher priority go before others of the
            same tenant; other tenants have their share all the same.
        credentials: gRPC's own for TLS, in place of `tls`.
        shared_memory: Whether large arrays go through memory that is shared with a server at `unix:/path`,
            where that can be; else, and everywhere else, they go in messages.
        join: Whether small evaluations that threads make at the same time travel together.

    Raises:
        InvalidArgumentError: If a file for TLS cannot be read, the token cannot be sent, or there is no such
            priority.
    """
    lender = lender_for(address) if shared_memory else None
    secured = security(address, token, tls, credentials, insecure)
    configured = [*options(address), *secured.options]
    channel: Any = (
        grpc.insecure_channel(address, configured)
        if secured.credentials is None
        else grpc.secure_channel(address, secured.credentials, configured)
    )
    authorization = shown(secured.authorization, priority)
    if authorization is not None:
        channel = Authorized(channel, authorization)
    return Client(traced(channel), address, timeout, lender, join=join)


@contextmanager
def local(
    devices: str = "auto",
    *,
    data_dir: str | Path | None = None,
    timeout: float | None = DEFAULT_TIMEOUT,
    startup_timeout: float = STARTUP_TIMEOUT,
    join: bool = True,
) -> Iterator[Client]:
    """An embedded server with a client: nothing to start, and nothing left at the end.

    The server is a child process, so that JAX does not enter this one. It needs `pullback[server]`.

    Args:
        devices: What to compute on: `auto`, `cpu`, `cpu:2`, `cuda`, ... as `pullback serve --devices`.
        data_dir: Where functions are kept; None is a folder that is removed at the end.
        timeout: As in `connect`.
        startup_timeout: How many seconds the server may take to start.
        join: As in `connect`.

    Raises:
        ServerStartError: If the server is not installed or does not start.
    """
    server = EmbeddedServer(devices, data_dir, startup_timeout)
    deadline = Deadline(startup_timeout)
    try:
        with connect(server.start(), timeout=timeout, join=join) as client:
            # Nobody starts it again.
            client.patient = False
            _wait_until_serving(client, server, deadline)
            yield client
    finally:
        server.stop()


def _wait_until_serving(client: Client, server: EmbeddedServer, deadline: Deadline) -> None:
    while _health(client, deadline) is not Health.SERVING:
        if server.ended or deadline.remaining() == 0.0:
            server.stop()
            raise server.failure()
        time.sleep(POLL_INTERVAL)


def _health(client: Client, deadline: Deadline) -> Health:
    try:
        return client.health(timeout=deadline.remaining())
    except (UnavailableError, DeadlineExceededError):
        return Health.UNKNOWN
