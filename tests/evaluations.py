"""Makes evaluations of tensors, for tests of what evaluates."""

from __future__ import annotations

from collections.abc import Sequence

from pullback.program.tensors import TensorType
from pullback_server.model.evaluation import Evaluation, Kind, Tensor
from pullback_server.model.quantities import Want


def evaluation(
    digest: str,
    wants: Sequence[Want],
    arguments: Sequence[Tensor],
    tangents: Sequence[Tensor] = (),
    cotangents: Sequence[Tensor] = (),
    points: int | None = None,
    leaves: Sequence[TensorType] = (),
) -> Evaluation:
    """An evaluation of tensors.

    In a batch, those are batched whose first axis is as long as the batch, but for arguments that have
    the types in `leaves`.
    """
    groups = (_batched(arguments, points, leaves), _batched(tangents, points), _batched(cotangents, points))
    kind = Kind(
        digest,
        tuple(wants),
        *(tuple(map(_at_one_point, group)) for group in groups),
        None if points is None else tuple(batched for group in groups for _, batched in group),
    )
    return Evaluation(kind, tuple(tensor.data for group in groups for tensor, _ in group), points)


def _batched(
    tensors: Sequence[Tensor], points: int | None, leaves: Sequence[TensorType] = ()
) -> list[tuple[Tensor, bool]]:
    shared = dict(enumerate(leaves))
    return [
        (tensor, points is not None and tensor.type.shape[:1] == (points,) and tensor.type != shared.get(i))
        for i, tensor in enumerate(tensors)
    ]


def _at_one_point(tensor: tuple[Tensor, bool]) -> TensorType:
    (type_, batched) = tensor[0].type, tensor[1]
    return TensorType(type_.element, type_.shape[1:]) if batched else type_
