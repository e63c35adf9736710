"""Checks tensors against the types that a signature expects, and finds the batch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from pullback.codec.tensors import Tensor
from pullback.program.elements import ElementType
from pullback.program.errors import MalformedProgramError
from pullback.program.tensors import TensorType
from pullback.program.wire import element_from_wire
from pullback_server.errors import Reason, ServiceError, service_error
from pullback_server.model.evaluation import Data
from pullback_server.model.memory import Place

NARROW: Final = {
    ElementType.I1: (np.uint8, 0, 1),
    ElementType.I4: (np.int8, -8, 7),
    ElementType.UI4: (np.uint8, 0, 15),
}
"""Types that take a byte and use a part of it: the bytes as numbers, and the least and the largest."""


@dataclass(frozen=True, slots=True)
class Expected:
    """A tensor that a request should have.

    Attributes:
        path: How to call it in messages, such as `params['w']`.
        type: Its type where it is shared by all points.
    """

    path: str
    type: TensorType


@dataclass(frozen=True, slots=True)
class CheckedTensor:
    """A tensor that fits.

    Attributes:
        path: How to call it in messages.
        type: Its type at one point.
        points: The size of its batch; None where it is shared.
    """

    path: str
    type: TensorType
    points: int | None


def check_tensors(
    kind: str, tensors: Sequence[Tensor], inputs: Iterable[Data], expected: Sequence[Expected]
) -> list[CheckedTensor]:
    """The tensors of a request.

    Args:
        kind: What they are, such as `arguments`.
        tensors: The tensors as they came.
        inputs: Their elements, from which as many are taken.
        expected: What should have come.

    Raises:
        RequestError: ARGUMENT_COUNT_MISMATCH, ELEMENT_TYPE_MISMATCH, SHAPE_MISMATCH or MALFORMED_REQUEST.
    """
    if len(tensors) != len(expected):
        raise _count_mismatch(kind, len(tensors), expected)
    return [_check(*each) for each in zip(tensors, expected, inputs, strict=False)]


def common_points(tensors: Sequence[CheckedTensor]) -> int | None:
    """The size of the batch that all batched tensors have; None where nothing is batched.

    Raises:
        RequestError: SHAPE_MISMATCH if they differ.
    """
    batched = [tensor for tensor in tensors if tensor.points is not None]
    for tensor in batched:
        if tensor.points != batched[0].points:
            raise service_error(
                Reason.SHAPE_MISMATCH,
                f"{batched[0].path} is a batch of {batched[0].points} points and {tensor.path} one of "
                f"{tensor.points}; give all batched tensors the same number of points",
                argument=tensor.path,
                expected=str(batched[0].points),
                actual=str(tensor.points),
            )
    return batched[0].points if batched else None


def check_values(data: Data, actual: TensorType, path: str) -> None:
    """Refuses bytes that are no elements, of a type that takes a byte and uses a part of it.

    Args:
        data: The elements.
        actual: Their type and shape.
        path: How to call the tensor in messages.

    Raises:
        RequestError: MALFORMED_REQUEST.
    """
    if actual.element not in NARROW or not len(data):
        return
    dtype, low, high = NARROW[actual.element]
    values = np.frombuffer(data.view if isinstance(data, Place) else data, dtype)
    if int(values.min()) < low or int(values.max()) > high:
        raise service_error(
            Reason.MALFORMED_REQUEST,
            f"{path} has type {actual}, whose elements are bytes from {low} to {high}; other bytes came",
            argument=path,
        )


def _check(tensor: Tensor, expected: Expected, data: Data) -> CheckedTensor:
    actual = _type(tensor, expected.path)
    if actual.element is not expected.type.element:
        raise _mismatch(
            Reason.ELEMENT_TYPE_MISMATCH,
            expected,
            actual,
            f"convert its elements to {expected.type.element.value}",
        )
    points = _points(actual, expected)
    if len(data) != actual.nbytes:
        raise service_error(
            Reason.MALFORMED_REQUEST,
            f"{expected.path} has type {actual} and so {actual.nbytes} bytes of data, but "
            f"{len(data)} came; send all elements, row-major and without padding",
            argument=expected.path,
        )
    check_values(data, actual, expected.path)
    return CheckedTensor(expected.path, expected.type, points)


def _type(tensor: Tensor, path: str) -> TensorType:
    try:
        element = element_from_wire(tensor.element)
    except MalformedProgramError as error:
        raise service_error(Reason.MALFORMED_REQUEST, f"{path}: {error}", argument=path) from error
    if any(size < 0 for size in tensor.shape):
        raise service_error(
            Reason.MALFORMED_REQUEST,
            f"{path} has the shape {list(tensor.shape)} with a negative size",
            argument=path,
        )
    return TensorType(element, tensor.shape)


def _points(actual: TensorType, expected: Expected) -> int | None:
    if actual.shape == expected.type.shape:
        return None
    if actual.shape[1:] == expected.type.shape and len(actual.shape) > len(expected.type.shape):
        return actual.shape[0]
    sizes = ",".join(("points", *map(str, expected.type.shape)))
    raise _mismatch(
        Reason.SHAPE_MISMATCH,
        expected,
        actual,
        f"give that shape, or {expected.type.element.value}[{sizes}] for a batch",
    )


def _mismatch(reason: Reason, expected: Expected, actual: TensorType, advice: str) -> ServiceError:
    return service_error(
        reason,
        f"{expected.path} must be {expected.type}, but {actual} came; {advice}",
        argument=expected.path,
        expected=str(expected.type),
        actual=str(actual),
    )


def _count_mismatch(kind: str, count: int, expected: Sequence[Expected]) -> ServiceError:
    names = ", ".join(f"{wanted.path}: {wanted.type}" for wanted in expected[:8])
    more = ", ..." if len(expected) > 8 else ""  # noqa: PLR2004 -- as many as a sentence holds
    spelled = f" ({names}{more})" if expected else ""
    return service_error(
        Reason.ARGUMENT_COUNT_MISMATCH,
        f"{count} tensors came as {kind}, but {len(expected)} are needed{spelled}; send one for each leaf",
        kind=kind,
        expected=str(len(expected)),
        actual=str(count),
    )
