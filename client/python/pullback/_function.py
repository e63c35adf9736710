"""A registered function, called over gRPC. Its twin is `_aio_function`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pullback._checks import start_check
from pullback._descriptions import FunctionDetails
from pullback._evaluation.calls import Call
from pullback._evaluation.compilation import Progress, compile_request
from pullback._evaluation.inputs import Inputs
from pullback._evaluation.plans import Plans
from pullback._evaluation.results import Results
from pullback._evaluation.wants import Argnums, Quantity, Want
from pullback._graphs import Wanted, graph_of_response, graph_request
from pullback._map import iterate, run
from pullback._mapping.requests import Course, over_arrays, over_iterators
from pullback._methods import GET_GRAPH
from pullback._stream import Stream, StreamedFunction
from pullback._transformations import Transformations
from pullback.checking.questions import Answer, Question
from pullback.checking.report import Report, RuleUse, rules_of
from pullback.errors import InvalidArgumentError, LimitExceededError, PullbackError
from pullback.graphs.data import Graph

if TYPE_CHECKING:
    from pullback.client import Client


class Function(Transformations[Any]):
    """A registered function at one of its revisions; made by `Client.register` and `Client.function`.

    Its calls go to that revision, also after a newer one was registered.

    Args:
        client: The client that carries its calls.
        details: What the server says of it.
    """

    __slots__ = ("_client", "_details", "_plans")

    def __init__(self, client: Client, details: FunctionDetails) -> None:
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

    def _run(self, prepare: Callable[[], Call], timeout: float | None) -> Any:
        call = prepare()
        return call.answer(self._client.evaluate(call, timeout))

    def compile(
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
        """Compiles ahead of the first evaluation, and returns when the executable is ready.

        Args:
            want: What will be wanted together.
            argnums: For wants that do not say.
            batch: The number of points; None for a single point.
            shared: The names of the arguments that will not be batched.
            sizes: The size of each symbol, for a function whose signature has symbols.
            on_progress: Called with each report.
            timeout: In seconds; None is the client's.

        Raises:
            PullbackError: If the call fails.
        """
        request = compile_request(
            self.revision, self.signature, want, argnums=argnums, batch=batch, shared=shared, sizes=sizes
        )
        return self._client.follow_compilation(request, on_progress or (lambda _: None), timeout)

    def graph(
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
        """The graph of what an evaluation would run, with shapes and an estimate of its cost.

        Args:
            of: What is wanted: a quantity such as `grad`, a `Want`, or several that share one evaluation.
            argnums: For wants that do not say.
            batch: The number of points; None for a single point.
            shared: The names of the arguments that are not batched.
            sizes: The sizes of the signature's symbols, where it has some.
            depth: How deep into loops, branches and calls to show; 0 is not at all, None is all.
            merge: Whether to leave out conversions, broadcasts, reshapes and their like.
            compiled: Whether to compile, and to give the compiler's own analysis beside the estimate.
            timeout: In seconds; None is the client's.

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
        return graph_of_response(self._client.call(GET_GRAPH, request, timeout))

    def check(
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
        """Compares derivatives with finite differences, forward with reverse, and batches with points.

        It says also where each derivative comes from, and what is not finite where. Everything is evaluated
        by the server, as any caller would have it; differences are taken here.

        Args:
            *args: Where to check, as in a call of the function: a point, or a batch of points. Without any
                argument, points are drawn.
            argnums: The arguments to differentiate with respect to; None is all that can be.
            order: The highest order of a derivative.
            points: How many points to draw.
            uniform: The bounds to draw between; None draws normally distributed numbers.
            sizes: For points that are drawn: the sizes of the signature's symbols, where it has some.
            elements: Along how many elements of the arguments finite differences are taken.
            seed: For what is drawn.
            timeout: In seconds, for each evaluation; None is the client's.
            **kwargs: Arguments by name.

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
            dialogue.answer(self._answer(dialogue.question, timeout))
        return replace(dialogue.report, rules=self._rules(dialogue.sizes, timeout))

    def _answer(self, question: Question, timeout: float | None) -> Answer | PullbackError:
        try:
            answer: Answer = self.evaluate(*question.arguments, **question.options, timeout=timeout)
        except PullbackError as error:
            return error
        return answer

    def _rules(self, sizes: Mapping[str, int], timeout: float | None) -> tuple[RuleUse, ...]:
        try:
            return rules_of(self.graph(sizes=sizes, timeout=timeout))
        except (InvalidArgumentError, LimitExceededError):
            return ()

    def map(
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
        """Evaluates at many points: cut into messages that travel on a stream, with many under way.

        What `evaluate` gives in one message, without its limit on the size of one. Where the connection is
        lost, or the server is overloaded or started anew, only what has not arrived is sent again.

        Args:
            *args: Arguments by position, as in `evaluate`: what has one more leading axis is batched. In the
                place of an array may stand the path of a .npy file, which is mapped into memory.
            want: What is wanted.
            argnums: For wants that do not say.
            tangents: For `jvp`, `hvp` and `ggn_vp`: as in `evaluate`, batched or shared.
            cotangents: For `vjp`: likewise.
            out: Where results go: the path of a .npy file, which is written through a mapping into memory, or
                an array; in the structure of the result, and for several wants in a dict by their keys. None
                is new arrays.
            progress: Whether to show on standard error how far it is, by tqdm if it is installed.
            chunk: The number of points in a message; None is what fits into about a mebibyte.
            in_flight: The most messages without an answer.
            retries: How often what was lost is sent again in a row, without any answer in between; the pauses
                before grow from 0.1 to 5 seconds.
            timeout: For how many seconds there may be no answer at all; None is the client's.
            **kwargs: Arguments by name.

        Returns:
            A `Results`, as `evaluate` gives it; its `timing` has the sums over all messages.

        Raises:
            InvalidArgumentError: If something does not fit, or nothing is batched.
            PullbackError: If a message fails; it says at which points, also in its metadata (`first_point`,
                `last_point`).
            OSError: If a file cannot be read or written.
        """
        course = Course(chunk, in_flight, retries, progress, self._patience(timeout))
        inputs = Inputs(args, kwargs, tangents, cotangents)
        array_map = over_arrays(self.revision, self.signature, want, argnums, inputs, out, course)
        return run(array_map, self._open_stream)

    def imap(
        self,
        *points: Iterable[Any],
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
    ) -> Iterator[Results]:
        """Evaluates at the points of iterables, which may be endless; gives their results in order.

        It reads ahead, as far as is under way, and holds no more in memory.

        Args:
            *points: For each argument that differs, by position, an iterable of points or of blocks of them,
                which have one more leading axis; walked in step, as by Python's `map`.
            want: What is wanted.
            argnums: For wants that do not say.
            tangents: For `jvp`, `hvp` and `ggn_vp`: the same for all points.
            cotangents: For `vjp`: likewise.
            progress: As in `map`.
            chunk: As in `map`.
            in_flight: As in `map`.
            retries: As in `map`.
            timeout: As in `map`.
            **shared: The other arguments, by name, which all points share.

        Returns:
            An iterator of `Results`: one for each item, without an axis of points for a point.

        Raises:
            InvalidArgumentError: If something does not fit; where it is an item, when its turn comes.
            PullbackError: If a message fails, as in `map`.
        """
        course = Course(chunk, in_flight, retries, progress, self._patience(timeout))
        inputs = Inputs(points, shared, tangents, cotangents)
        return iterate(
            over_iterators(self.revision, self.signature, want, argnums, inputs, course), self._open_stream
        )

    def _patience(self, timeout: float | None) -> float | None:
        return self._client.timeout if timeout is None else timeout

    def _open_stream(self, in_flight: int) -> Stream:
        return self._client.open_stream(in_flight, resumes=False)

    @contextmanager
    def stream(self, *, in_flight: int = 64) -> Iterator[StreamedFunction]:
        """Opens a stream for many evaluations at once: the same methods, which give futures.

        Args:
            in_flight: The most evaluations without an answer; another one waits until it has a place.
        """
        with self._client.stream(in_flight=in_flight) as stream:
            yield stream.function(self)

    def __repr__(self) -> str:
        return f"<pullback.Function {self.revision} at {self._client.address}>"
