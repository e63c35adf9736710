"""Checks requests for evaluations against the function's signature.

What passes here is of a kind that a worker can run; what does not is refused with what was expected, what
came, and what to do.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from pullback.codec.evaluation import Request
from pullback.program.signature import Signature
from pullback.program.tensors import TensorType
from pullback.program.trees import leaf_paths
from pullback.v1 import evaluation_pb2, graphs_pb2
from pullback_server.errors import Reason, exceeded, service_error
from pullback_server.model.evaluation import Compilation, Data, Kind, Outcome
from pullback_server.model.functions import Registered
from pullback_server.model.quantities import Quantity, Want
from pullback_server.services.requests.limits import Limits
from pullback_server.services.requests.sizes import result_bytes, result_leaves
from pullback_server.services.requests.symbols import signature_at_sizes, signature_of_arguments
from pullback_server.services.requests.tensors import CheckedTensor, Expected, check_tensors, common_points
from pullback_server.services.requests.wants import check_wants

_LESS: Final = (
    "ask for less at once: fewer points, fewer wants, or a jvp, vjp, hvp or sparse matrix instead of a matrix"
)
# Python says no number of thousands of digits, as a high derivative of what has many axes may have bytes.
_MOST_TOLD: Final = 10**100


@dataclass(frozen=True, slots=True)
class Checked:
    """A request for an evaluation that fits the function's signature.

    Attributes:
        kind: What it has in common with others; it is not interned yet.
        points: The size of the batch; None where nothing is batched.
        paths: How to call each input in messages.
    """

    kind: Kind
    points: int | None
    paths: tuple[str, ...]


def check_evaluation(
    request: Request,
    inputs: Sequence[Data],
    wants: Sequence[evaluation_pb2.Want],
    registered: Registered,
    limits: Limits,
) -> Checked:
    """The evaluation that a request asks for.

    Args:
        request: The request.
        inputs: The elements of all its tensors: arguments, tangents, cotangents.
        wants: What its head says is wanted.
        registered: The function that its head names.
        limits: The server's limits.

    Raises:
        ServiceError: MALFORMED_REQUEST, INVALID_ARGNUMS, DERIVATIVE_UNDEFINED, ARGUMENT_COUNT_MISMATCH,
            ELEMENT_TYPE_MISMATCH, SHAPE_MISMATCH, ORDER_TOO_HIGH, BATCH_TOO_LARGE or RESULT_TOO_LARGE.
    """
    signature = signature_of_arguments(registered.signature, request.arguments)
    wanted = check_wants(wants, signature, limits.derivative_order)
    rest = iter(inputs)
    arguments = check_tensors("arguments", request.arguments, rest, _argument_leaves(signature))
    tangents = check_tensors("tangents", request.tangents, rest, _tangents(wanted, signature))
    cotangents = check_tensors("cotangents", request.cotangents, rest, _cotangents(wanted, signature))
    checked = (*arguments, *tangents, *cotangents)
    points = common_points(checked)
    _check_size(wanted, signature, points, limits)
    kind = Kind(
        registered.revision.digest,
        wanted,
        _types(arguments),
        _types(tangents),
        _types(cotangents),
        batched=None if points is None else tuple(part.points is not None for part in checked),
        result_bytes=result_bytes(wanted, signature, None),
        result_leaves=result_leaves(wanted, signature),
    )
    return Checked(kind, points, tuple(part.path for part in checked))


def check_compilation(
    request: evaluation_pb2.CompileRequest | graphs_pb2.GetGraphRequest,
    registered: Registered,
    limits: Limits,
) -> Compilation:
    """The compilation that a request asks for, or would need whose graph is asked for.

    Raises:
        ServiceError: MALFORMED_REQUEST, INVALID_ARGNUMS, DERIVATIVE_UNDEFINED, ORDER_TOO_HIGH,
            BATCH_TOO_LARGE or RESULT_TOO_LARGE.
    """
    signature, sizes = signature_at_sizes(registered.signature, request.sizes)
    wants = check_wants(request.wants, signature, limits.derivative_order)
    points = request.batch if request.HasField("batch") else None
    if points is not None and points < 0:
        raise service_error(Reason.MALFORMED_REQUEST, f"batch is {points}; give the number of points")
    shared = tuple(sorted(request.shared_leaves))
    count = len(signature.leaves)
    if shared and (points is None or len(set(shared)) < len(shared) or shared[-1] >= count):
        raise service_error(
            Reason.MALFORMED_REQUEST,
            f"shared_leaves {list(shared)} cannot be; give them with a batch, each once, "
            f"from 0 to {count - 1}",
        )
    _check_size(wants, signature, points, limits)
    return Compilation(registered.revision.digest, wants, points, shared, sizes)


def check_sent(nbytes: int, limits: Limits) -> None:
    """Refuses results that are too large for the message that they would be sent in.

    Raises:
        ServiceError: RESULT_TOO_LARGE.
    """
    if nbytes > limits.message_bytes:
        raise exceeded(
            Reason.RESULT_TOO_LARGE,
            f"the results have {nbytes} bytes, and travel in one message",
            value=nbytes,
            limit=limits.message_bytes,
            setting="max_message_bytes",
            advice=_LESS,
        )


def check_outcome(outcome: Outcome, limits: Limits) -> int:
    """Refuses an outcome that is too large to send; what sparse results take is known only now.

    Returns:
        The bytes of the results that are sent.

    Raises:
        ServiceError: RESULT_TOO_LARGE.
    """
    nbytes = sum(len(part.data) for result in outcome.results for part in result if not part.place)
    check_sent(nbytes, limits)
    return nbytes


def _argument_leaves(signature: Signature) -> list[Expected]:
    return _expected(zip(signature.paths, signature.leaves, strict=True))


def _tangents(wants: Iterable[Want], signature: Signature) -> list[Expected]:
    along = next((want for want in wants if want.quantity.takes_tangents), None)
    if along is None:
        return []
    leaves = (
        (f"the tangent of {path}", leaf)
        for argument in (signature.arguments[argnum] for argnum in along.argnums)
        for path, leaf in zip(argument.paths, argument.leaves, strict=True)
    )
    return _directed(along, _differentiable(leaves))


def _cotangents(wants: Iterable[Want], signature: Signature) -> list[Expected]:
    pulled = next((want for want in wants if want.quantity is Quantity.VJP), None)
    if pulled is None or signature.result is None:
        return []
    paths = (f"the cotangent of {path}" for path in leaf_paths(signature.result.tree, "result"))
    return _directed(pulled, _differentiable(zip(paths, signature.result.leaves, strict=True)))


def _directed(want: Want, leaves: list[Expected]) -> list[Expected]:
    """What is expected, with the axis of directions where the want has one."""
    count = want.directions
    return leaves if count is None else [Expected(leaf.path, leaf.type.batched(count)) for leaf in leaves]


def _differentiable(leaves: Iterable[tuple[str, TensorType]]) -> list[Expected]:
    return _expected((path, leaf) for path, leaf in leaves if leaf.element.differentiable)


def _expected(leaves: Iterable[tuple[str, TensorType]]) -> list[Expected]:
    return [Expected(path, leaf) for path, leaf in leaves]


def _types(checked: Iterable[CheckedTensor]) -> tuple[TensorType, ...]:
    return tuple(part.type for part in checked)


def _check_size(wants: tuple[Want, ...], signature: Signature, points: int | None, limits: Limits) -> None:
    if points is not None and points > limits.batch:
        raise exceeded(
            Reason.BATCH_TOO_LARGE,
            f"the batch has {points} points",
            value=points,
            limit=limits.batch,
            setting="max_batch",
            advice="send the points in several requests",
        )
    size = result_bytes(wants, signature, points)
    if size > limits.result_bytes:
        told = min(size, _MOST_TOLD)
        raise exceeded(
            Reason.RESULT_TOO_LARGE,
            f"the results would have {told} bytes{' or more' if told < size else ''}",
            value=told,
            limit=limits.result_bytes,
            setting="max_result_bytes",
            advice=_LESS,
        )
