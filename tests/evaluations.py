"""Makes evaluations of tensors, for tests of what evaluates, and has a kernel do them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from time import perf_counter

from pullback.program.tensors import TensorType
from pullback_server.compute.compiler.prepared import Prepared
from pullback_server.compute.kernel import Kernel
from pullback_server.model.evaluation import Buffer, Evaluation, Kind, Outcome, Tensor
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


def evaluated(kernel: Kernel, evaluation: Evaluation) -> Outcome:
    """What a kernel gives for an evaluation of a program that it has loaded."""
    started = perf_counter()
    made = kernel.prepare(evaluation.kind)
    prepared_in = perf_counter() - started
    ran = kernel.run(made, evaluation.inputs, evaluation.points)
    timing = ran.timing
    if timing.compile:
        timing = replace(timing, compile=timing.compile + prepared_in)
    return Outcome(by_want(made, ran.buffers, evaluation.points), timing)


def by_want(made: Prepared, buffers: Sequence[Buffer], points: int | None) -> tuple[tuple[Tensor, ...], ...]:
    """The results of a run, with their types, for each want."""
    pairs = zip(made.leaves, buffers, strict=True)
    tensors = (Tensor(leaf.type(points), buffer) for leaf, buffer in pairs)
    return tuple(tuple(islice(tensors, count)) for count in made.counts)


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
