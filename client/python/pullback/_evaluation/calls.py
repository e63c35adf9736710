"""Evaluations as data: from a user's arguments to a request, from its response to the user's trees.

The twins `client` and `aio` share this; it does no I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from google.protobuf.duration_pb2 import Duration

from pullback._evaluation.inputs import Collected, Input, Inputs, collect
from pullback._evaluation.results import Results, Timing, assemble
from pullback._evaluation.tensors import decode, encode
from pullback._evaluation.wants import Argnums, Quantity, ResolvedWant, Want, resolve, want_to_wire
from pullback._status import error_from_status
from pullback.errors import ServerError
from pullback.program.signature import Signature
from pullback.v1 import evaluation_pb2, tensor_pb2

Pick = Callable[[Results], Any]


def everything(results: Results) -> Results:
    """Picks all results, as `evaluate` gives them."""
    return results


def only(results: Results) -> Any:
    """Picks the only result, as `grad` gives it."""
    (value,) = results.values()
    return value


def in_order(results: Results) -> tuple[Any, ...]:
    """Picks the results as a tuple, as `value_and_grad` gives them."""
    return tuple(results.values())


@dataclass(frozen=True, slots=True)
class Call:
    """One evaluation.

    Attributes:
        request: What is sent.
        signature: The function's.
        wants: What is wanted, in the order of the request.
        points: The size of the batch; None where nothing is batched.
        pick: What the user gets of the results.
    """

    request: evaluation_pb2.EvaluateRequest
    signature: Signature
    wants: tuple[ResolvedWant, ...]
    points: int | None
    pick: Pick

    def answer(self, response: evaluation_pb2.EvaluateResponse) -> Any:
        """What the user gets.

        Raises:
            ServerError: If the response has not what was wanted.
        """
        if len(response.results) != len(self.wants):
            raise ServerError(
                f"the server sent {len(response.results)} results for {len(self.wants)} wants",
                code="INTERNAL",
            )
        values = {
            want.key: assemble(want, self.signature, list(map(decode, result.tensors)), self.points)
            for want, result in zip(self.wants, response.results, strict=True)
        }
        return self.pick(Results(values, response.revision, _timing(response.timing)))


def read_answer(call: Call, message: evaluation_pb2.EvaluateStreamResponse) -> Any:
    """What the user gets of an answer in a stream.

    Raises:
        PullbackError: What the answer says went wrong, or ServerError if it says nothing.
    """
    match message.WhichOneof("outcome"):
        case "response":
            return call.answer(message.response)
        case "error":
            raise error_from_status(message.error)
        case _:
            raise ServerError("the server sent an answer without an outcome", code="INTERNAL")


def build(
    revision: str,
    signature: Signature,
    wants: Iterable[Quantity | Want],
    inputs: Inputs,
    *,
    argnums: Argnums | None = None,
    pick: Pick = everything,
) -> Call:
    """Builds an evaluation, and checks what can be checked without the server.

    Args:
        revision: The resource name of the function's revision.
        signature: Its signature.
        wants: What is wanted.
        inputs: What goes in.
        argnums: For wants that do not say.
        pick: What the user gets of the results.

    Raises:
        InvalidArgumentError: If a count, a structure, a shape, a dtype or an argument number does not fit.
    """
    resolved = resolve(wants, signature, argnums)
    return call_of(revision, resolved, collect(signature, resolved, inputs), pick)


def call_of(
    revision: str, wants: tuple[ResolvedWant, ...], collected: Collected, pick: Pick = everything
) -> Call:
    """The evaluation of what was collected and checked before.

    Args:
        revision: The resource name of the function's revision.
        wants: What is wanted.
        collected: What goes in.
        pick: What the user gets of the results.
    """
    request = evaluation_pb2.EvaluateRequest(
        function=revision,
        wants=map(want_to_wire, wants),
        arguments=map(_encode, collected.arguments),
        tangents=map(_encode, collected.tangents),
        cotangents=map(_encode, collected.cotangents),
    )
    return Call(request, collected.signature, wants, collected.points, pick)


def _encode(given: Input) -> tensor_pb2.Tensor:
    return encode(given.array, given.type)


def _timing(message: evaluation_pb2.Timing) -> Timing:
    return Timing(*map(seconds, (message.total, message.compile, message.execute)))


def seconds(duration: Duration) -> float:
    """A duration in seconds."""
    return duration.seconds + duration.nanos * 1e-9
