"""A registered function, awaited: the twin of `_function`, over `grpc.aio`."""

# ruff: noqa: ASYNC109 -- as in `aio`

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pullback._aio_map import iterate, run
from pullback._aio_stream import AsyncStream, AsyncStreamedFunction
from pullback._checks import start_check
from pullback._descriptions import FunctionDetails
from pullback._evaluation.calls import Call
from pullback._evaluation.compilation import Progress, compile_request
from pullback._evaluation.inputs import Inputs
from pullback._evaluation.plans import Plans
from pullback._evaluation.results import Results
from pullback._evaluation.wants import Argnums, Quantity, Want
from pullback._graphs import Wanted, graph_of_response, graph_request
from pullback._mapping.requests import Course, over_arrays, over_iterators
from pullback._methods import GET_GRAPH
from pullback._transformations import Transformations
from pullback.checking.questions import Answer, Question
from pullback.checking.report import Report, RuleUse, rules_of
from pullback.errors import InvalidArgumentError, LimitExceededError, PullbackError
from pullback.graphs.data import Graph

if TYPE_CHECKING:
    from pullback.aio import AsyncClient


class AsyncFunction(Transformations[Coroutine[Any, Any, Any]]):
    """A registered function at one of its revisions, as `pullback.Function`; its methods are awaited.

    Args:
        client: The client that carries its calls.
        details: What the server says of it.
    """

    __slots__ = ("_client", "_details", "_plans")

    def __init__(self, client: AsyncClient, details: FunctionDetails) -> None:
        self._client = client
        self._details = details
        self._plans = Plans(details.revision, details.signature)

    @property
    def details(self) -> FunctionDetails:
        """All that the server says of the function."""
        return self._details

    @property
    def plans(self) -> Plans:
        """What its evaluations have in common, kept from call to call."""
        return self._plans

    async def _run(self, prepare: Callable[[], Call], timeout: float | None) -> Any:
        call = prepare()
        return call.answer(await self._client.evaluate(call, timeout))

    async def compile(
        self,
        want: Iterable[Quantity | Want] = ("value",),
        *,
        argnums: Argnums | None = None,
        batch: int | None = None,
        shared: Iterable[str] = (),
        sizes: Mapping[str, int] | None = None,
        on_progress: Callable[[Progress], None] | None = None,
        timeout: float | None = None,
    ) -> Progress:
        """Compiles ahead of the first evaluation, as `Function.compile`.

        Raises:
            PullbackError: If the call fails.
        """
        request = compile_request(
            self.revision, self.signature, want, argnums=argnums, batch=batch, shared=shared, sizes=sizes
        )
        return await self._client.follow_compilation(request, on_progress or (lambda _: None), timeout)

    async def graph(
        self,
        of: Wanted = "value",
        *,
        argnums: Argnums | None = None,
        batch: int | None = None,
        shared: Iterable[str] = (),
        sizes: Mapping[str, int] | None = None,
        depth: int | None = None,
        merge: bool = False,
        compiled: bool = False,
        timeout: float | None = None,
    ) -> Graph:
        """The graph of what an evaluation would run, as `Function.graph`.

        Raises:
            LimitExceededError: If it is larger than the server gives; show less depth.
            PullbackError: If the call fails.
        """
        request = graph_request(
            self.revision,
            self.signature,
            of,
            argnums=argnums,
            batch=batch,
            shared=shared,
            sizes=sizes,
            depth=depth,
            merge=merge,
            compiled=compiled,
        )
        return graph_of_response(await self._client.call(GET_GRAPH, request, timeout))

    async def check(
        self,
        *args: Any,
        argnums: Argnums | None = None,
        order: int = 2,
        points: int = 3,
        uniform: tuple[float, float] | None = None,
        sizes: Mapping[str, int] | None = None,
        elements: int = 64,
        seed: int = 0,
        timeout: float | None = None,
        **kwargs: Any,
    ) -> Report:
        """Compares derivatives with finite differences, and more, as `Function.check`.

        Raises:
            InvalidArgumentError: If arguments, argnums or sizes do not fit.
            PullbackError: If a call fails for another reason than that a derivative does not exist.
        """
        dialogue = start_check(
            self.details,
            args,
            kwargs,
            argnums=argnums,
            order=order,
            points=points,
            uniform=uniform,
            sizes=sizes,
            elements=elements,
            seed=seed,
        )
        while dialogue.question is not None:
            dialogue.answer(await self._answer(dialogue.question, timeout))
        return replace(dialogue.report, rules=await self._rules(dialogue.sizes, timeout))

    async def _answer(self, question: Question, timeout: float | None) -> Answer | PullbackError:
        try:
            answer: Answer = await self.evaluate(*question.arguments, **question.options, timeout=timeout)
        except PullbackError as error:
            return error
        return answer

    async def _rules(self, sizes: Mapping[str, int], timeout: float | None) -> tuple[RuleUse, ...]:
        try:
            return rules_of(await self.graph(sizes=sizes, timeout=timeout))
        except (InvalidArgumentError, LimitExceededError):
            return ()

    async def map(
        self,
        *args: Any,
        want: Iterable[Quantity | Want] = ("value",),
        argnums: Argnums | None = None,
        tangents: Sequence[Any] | None = None,
        cotangents: Any = None,
        out: Any = None,
        progress: bool = False,
        chunk: int | None = None,
        in_flight: int = 32,
        retries: int = 20,
        timeout: float | None = None,
        **kwargs: Any,
    ) -> Results:
        """Evaluates at many points over a stream, as `Function.map`.

        Raises:
            InvalidArgumentError: If something does not fit, or nothing is batched.
            PullbackError: If a message fails; it says at which points.
            OSError: If a file cannot be read or written.
        """
        course = Course(chunk, in_flight, retries, progress, self._patience(timeout))
        inputs = Inputs(args, kwargs, tangents, cotangents)
        array_map = over_arrays(self.revision, self.signature, want, argnums, inputs, out, course)
        return await run(array_map, self._open_stream)

    def imap(
        self,
        *points: Iterable[Any] | AsyncIterable[Any],
        want: Iterable[Quantity | Want] = ("value",),
        argnums: Argnums | None = None,
        tangents: Sequence[Any] | None = None,
        cotangents: Any = None,
        progress: bool = False,
        chunk: int | None = None,
        in_flight: int = 32,
        retries: int = 20,
        timeout: float | None = None,
        **shared: Any,
    ) -> AsyncIterator[Results]:
        """Evaluates at the points of iterables, which may be asynchronous and endless, as `Function.imap`.

        Raises:
            InvalidArgumentError: If something does not fit; where it is an item, when its turn comes.
            PullbackError: If a message fails; it says at which points.
        """
        course = Course(chunk, in_flight, retries, progress, self._patience(timeout))
        inputs = Inputs(points, shared, tangents, cotangents)
        return iterate(
            over_iterators(self.revision, self.signature, want, argnums, inputs, course), self._open_stream
        )

    def _patience(self, timeout: float | None) -> float | None:
        return self._client.timeout if timeout is None else timeout

    def _open_stream(self, in_flight: int) -> AsyncStream:
        return self._client.open_stream(in_flight, resumes=False)

    @asynccontextmanager
    async def stream(self, *, in_flight: int = 64) -> AsyncIterator[AsyncStreamedFunction]:
        """Opens a stream for many evaluations at once: the same methods, which give futures."""
        async with self._client.stream(in_flight=in_flight) as stream:
            yield stream.function(self)

    def __repr__(self) -> str:
        return f"<pullback.aio.AsyncFunction {self.revision} at {self._client.address}>"
