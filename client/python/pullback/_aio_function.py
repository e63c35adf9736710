"""A registered function, awaited: the twin of `_function`, over `grpc.aio`."""

# ruff: noqa: ASYNC109 -- as in `aio`

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pullback._aio_stream import AsyncStreamedFunction
from pullback._checks import start_check
from pullback._descriptions import FunctionDetails
from pullback._evaluation.calls import Call
from pullback._evaluation.compilation import Progress, compile_request
from pullback._evaluation.wants import Argnums, Quantity, Want
from pullback._graphs import Wanted, graph_of_response, graph_request
from pullback._methods import EVALUATE, GET_GRAPH
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

    __slots__ = ("_client", "_details")

    def __init__(self, client: AsyncClient, details: FunctionDetails) -> None:
        self._client = client
        self._details = details

    @property
    def details(self) -> FunctionDetails:
        """All that the server says of the function."""
        return self._details

    async def _run(self, prepare: Callable[[], Call], timeout: float | None) -> Any:
        call = prepare()
        return call.answer(await self._client.call(EVALUATE, call.request, timeout))

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

    @asynccontextmanager
    async def stream(self, *, in_flight: int = 64) -> AsyncIterator[AsyncStreamedFunction]:
        """Opens a stream for many evaluations at once: the same methods, which give futures."""
        async with self._client.stream(in_flight=in_flight) as stream:
            yield stream.function(self)

    def __repr__(self) -> str:
        return f"<pullback.aio.AsyncFunction {self.revision} at {self._client.address}>"
