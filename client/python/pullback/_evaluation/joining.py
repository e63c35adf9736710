"""Several evaluations of one kind in one request, and their parts of its response; without I/O.

Points lie one behind the other in a tensor's bytes, so joining is concatenation, and parting is slicing.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Final

from pullback._evaluation.calls import Call
from pullback.codec.evaluation import Request, Response
from pullback.codec.fields import Buffer
from pullback.codec.tensors import Tensor
from pullback.errors import (
    InvalidArgumentError,
    LimitExceededError,
    PullbackError,
    ServerError,
)

LARGEST_CALL: Final = 64 << 10
"""The bytes of a call's tensors, there or back, above which a message of its own costs little more."""
MOST_POINTS_OF_CALL: Final = 32
"""A larger batch travels by itself."""
OVERDUE: Final = "its time was over while it waited to travel with others"
_BLAMES: Final = (InvalidArgumentError, LimitExceededError, ServerError)


def joinable(call: Call) -> bool:
    """Whether a call may travel together with others."""
    points = call.points
    if points is not None and not 0 < points <= MOST_POINTS_OF_CALL:
        return False
    return call.plan.joinable and message_bytes(call) <= LARGEST_CALL


def message_bytes(call: Call) -> int:
    """The bytes of a call's tensors, there or back, whichever are more."""
    nbytes = call.plan.point_bytes
    return nbytes if call.points is None else nbytes * call.points


def join(calls: Sequence[Call]) -> Request:
    """One request of several calls of one kind: a batch of all their points, in order.

    What a call shares among its points stands once for each.
    """
    if len(calls) == 1:
        return calls[0].request
    requests = [call.request for call in calls]
    counts = [call.points for call in calls]
    arguments, tangents, cotangents = calls[0].plan.ranks
    return Request(
        requests[0].head,
        _joined([request.arguments for request in requests], counts, arguments),
        _joined([request.tangents for request in requests], counts, tangents),
        _joined([request.cotangents for request in requests], counts, cotangents),
    )


def _joined(
    rows: Sequence[tuple[Tensor, ...]], counts: Sequence[int | None], ranks: Sequence[int]
) -> tuple[Tensor, ...]:
    columns = zip(*rows, strict=True)
    return tuple([_stacked(column, counts, rank) for column, rank in zip(columns, ranks, strict=True)])


def _stacked(tensors: Sequence[Tensor], counts: Sequence[int | None], rank: int) -> Tensor:
    element, shape, _, _ = tensors[0]
    parts = [
        tensor.data if count is None or len(tensor.shape) > rank else bytes(tensor.data) * count
        for tensor, count in zip(tensors, counts, strict=True)
    ]
    points = sum([1 if count is None else count for count in counts])
    return Tensor(element, (points, *shape[len(shape) - rank :]), b"".join(parts))


def part(response: Response, calls: Sequence[Call]) -> list[Response]:
    """The response of each call, whose tensors are slices of those of the whole.

    Raises:
        ServerError: If a result has not as many points as the calls.
    """
    if len(calls) == 1:
        return [response]
    revision, timing, results = response
    counts = [1 if call.points is None else call.points for call in calls]
    ends = list(accumulate(counts))
    wholes = [[_Whole(tensor, ends[-1]) for tensor in tensors] for tensors in results]
    return [
        Response(
            revision,
            timing,
            tuple([tuple([whole.part(call.points, end) for whole in each]) for each in wholes]),
        )
        for call, end in zip(calls, ends, strict=True)
    ]


class _Whole:
    """A result of all calls together.

    Raises:
        ServerError: If it has not so many points.
    """

    __slots__ = ("_data", "_element", "_shape", "_stride")

    def __init__(self, tensor: Tensor, points: int) -> None:
        self._element, shape, data, _ = tensor
        if shape[:1] != (points,) or len(data) % points:
            raise ServerError(
                f"the server sent a result of shape {list(shape)} for {points} points", code="INTERNAL"
            )
        self._shape = shape[1:]
        self._data: Buffer = memoryview(data)
        self._stride = len(data) // points

    def part(self, points: int | None, end: int) -> Tensor:
        """The result of one call, whose points end before `end`."""
        stride = self._stride
        if points is None:
            return Tensor(self._element, self._shape, self._data[(end - 1) * stride : end * stride])
        data = self._data[(end - points) * stride : end * stride]
        return Tensor(self._element, (points, *self._shape), data)


def may_be_one_s_fault(error: PullbackError) -> bool:
    """Whether a joined request may have failed because of one of its calls, so that each is sent alone."""
    return isinstance(error, _BLAMES)


def longest(remaining: Sequence[float | None]) -> float | None:
    """How many seconds a joined request may take: what the most patient has; None is without end."""
    seconds = [each for each in remaining if each is not None]
    return max(seconds) if len(seconds) == len(remaining) else None
