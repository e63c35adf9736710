"""Evaluations as data: from a user's arguments to a request, from its response to the user's trees.

The twins `client` and `aio` share this; it does no I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from pullback._evaluation.inputs import Collected, Input, Inputs
from pullback._evaluation.plans import Plan, Plans
from pullback._evaluation.results import Results
from pullback._evaluation.tensors import decode, encode
from pullback._evaluation.wants import Argnums, Quantity, Want
from pullback._sharing.loan import Loan
from pullback._status import error_from_status
from pullback.codec.evaluation import Request, Response
from pullback.codec.tensors import Tensor
from pullback.errors import ServerError

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


class Call(NamedTuple):
    """One evaluation.

    Attributes:
        request: What is sent.
        plan: What it has in common with others of its kind.
        points: The size of the batch; None where nothing is batched.
        pick: What the user gets of the results.
    """

    request: Request
    plan: Plan
    points: int | None
    pick: Pick

    @property
    def result_bytes(self) -> int:
        """How many bytes the results take in memory, at most; without what is sparse."""
        return self.plan.room.nbytes(self.points)

    def answer(self, response: Response) -> Any:
        """What the user gets.

        Raises:
            ServerError: If the response has not what was wanted.
        """
        revision, timing, results = response
        assemblies = self.plan.assemblies
        if len(results) != len(assemblies):
            raise ServerError(
                f"the server sent {len(results)} results for {len(assemblies)} wants", code="INTERNAL"
            )
        values = {
            assembly.want.key: assembly.assemble([decode(tensor) for tensor in tensors], self.points)
            for assembly, tensors in zip(assemblies, results, strict=True)
        }
        return self.pick(Results(values, revision, timing))


class ForgottenError(Exception):
    """The server does not know the shared memory that a request named."""


def read_answer(call: Call, outcome: Response | bytes, loan: Loan | None = None) -> Any:
    """What the user gets of an answer in a stream.

    Args:
        call: What was asked.
        outcome: The response, or the Status of its error.
        loan: The shared memory that it was sent in, which is given back.

    Raises:
        ForgottenError: If the server did not know the memory: the request can go in a message.
        PullbackError: What the answer says went wrong.
    """
    if isinstance(outcome, bytes):
        error = error_from_status(outcome)
        if loan is not None and loan.is_unknown(error):
            raise ForgottenError
        raise error
    return call.answer(outcome if loan is None else loan.redeem(outcome))


def build(
    plans: Plans,
    wants: Iterable[Quantity | Want],
    inputs: Inputs,
    argnums: Argnums | None = None,
    pick: Pick = everything,
) -> Call:
    """Builds an evaluation, and checks what can be checked without the server.

    Args:
        plans: The function's plans.
        wants: What is wanted.
        inputs: What goes in.
        argnums: For wants that do not say.
        pick: What the user gets of the results.

    Raises:
        InvalidArgumentError: If a count, a structure, a shape, a dtype or an argument number does not fit.
    """
    plan = plans.plan(wants, argnums, inputs)
    return call_of(plan, plan.layout.collect(inputs), pick)


def call_of(plan: Plan, collected: Collected, pick: Pick = everything) -> Call:
    """The evaluation of what was collected and checked before.

    Args:
        plan: What it has in common with others of its kind.
        collected: What goes in.
        pick: What the user gets of the results.
    """
    arguments, tangents, cotangents = collected.arguments, collected.tangents, collected.cotangents
    request = Request(plan.head, _tensors(arguments), _tensors(tangents), _tensors(cotangents), None)
    return Call(request, plan, collected.points, pick)


def _tensors(inputs: tuple[Input, ...]) -> tuple[Tensor, ...]:
    return tuple([encode(each.array, each.type) for each in inputs]) if inputs else ()
