"""Batches whose inputs and results lie in a client's memory, cut into pieces and put together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pullback.program.tensors import TensorType, parse_tensor_type
from pullback_server.model.evaluation import Evaluation, Kind, Outcome, Tensor, Timing
from pullback_server.model.memory import Place, Segment
from pullback_server.model.quantities import Quantity, Want
from pullback_server.scheduling.buckets import bucket_of
from pullback_server.scheduling.serving import Piece
from pullback_server.scheduling.splitting import cut, put_together

WANT = Want(Quantity.GRADIENT, argnums=(0,))


def kind_of(leaf: TensorType, result_bytes: int, result_leaves: int = 1) -> Kind:
    """The kind of batches of one argument."""
    return Kind("d" * 64, (WANT,), (leaf,), (), (), (True,), result_bytes, result_leaves)


def ran(part: Evaluation, leaves: Sequence[TensorType]) -> Outcome:
    """What a worker would give that writes each result twice as large as its input, where it is asked to."""
    assert part.points is not None
    (data,) = part.inputs
    values = np.frombuffer(data.view if isinstance(data, Place) else data, np.float64) * 2
    tensors, used = [], 0
    for leaf in leaves:
        wanted = np.resize(values.astype(leaf.element.dtype), (part.points, *leaf.shape)).tobytes()
        type_, room = leaf.batched(part.points), part.results
        if room is None or used + len(wanted) > room.nbytes:
            tensors.append(Tensor(type_, wanted))
        else:
            place = Place(room.segment, room.offset + used, len(wanted))
            place.view[:] = wanted
            tensors.append(Tensor(type_, place.view, place))
            used += -(-len(wanted) // 64) * 64
    return Outcome((tuple(tensors),), Timing())


@given(st.lists(st.integers(1, 40), min_size=2, max_size=5), st.sampled_from(["f64[3]", "f64[8]", "f64[]"]))
def test_one_leaf_is_written_once(counts: list[int], text: str) -> None:
    """Pieces read and write the client's memory where the whole batch would: nothing is left to copy."""
    leaf, points = parse_tensor_type(text), sum(counts)
    nbytes = points * leaf.nbytes
    segment = Segment(5, -1, np.zeros(4 * nbytes + 4096, np.uint8))
    source, target = Place(segment, 64, nbytes), Place(segment, 64 * (2 + nbytes // 64), nbytes)
    values = np.arange(nbytes // 8, dtype=np.float64)
    source.view[:] = values.tobytes()
    kind = kind_of(leaf, leaf.nbytes)
    evaluation = Evaluation(kind, (source,), points, target)
    parts = list(cut(evaluation, [Piece(count, bucket_of(count)) for count in counts], None))
    assert all(isinstance(part.inputs[0], Place) for part in parts)
    outcome = put_together([ran(part, [leaf]) for part in parts], kind, counts, target)
    ((result,),) = outcome.results
    assert result.place == target
    np.testing.assert_array_equal(np.frombuffer(target.view), values * 2)
    places = [part.results for part in parts if part.results]
    assert sum(place.nbytes for place in places) == nbytes


@pytest.mark.parametrize(
    ("leaves", "spare"), [(["f64[3]", "f64[]"], 128), (["f32[3]"], 128), (["f64[3]"], -8)]
)
def test_other_results_are_gathered(leaves: list[str], spare: int) -> None:
    """Several leaves, one narrower than foreseen, and too little room: the results are the same."""
    types, counts = list(map(parse_tensor_type, leaves)), [3, 5, 1]
    values = np.arange(27.0)
    predicted = sum(3 * 8 if type_.shape else 8 for type_ in types)
    segment = Segment(5, -1, np.zeros(4096, np.uint8))
    target = Place(segment, 1024, 9 * predicted + spare)
    kind = kind_of(parse_tensor_type("f64[3]"), predicted, len(types))
    evaluation = Evaluation(kind, (values.tobytes(),), 9, target)
    parts = list(cut(evaluation, [Piece(count, bucket_of(count)) for count in counts], None))
    together = put_together([ran(part, types) for part in parts], kind, counts, target)
    alone = [ran(Evaluation(kind, part.inputs, part.points), types) for part in parts]
    expected = put_together(alone, kind, counts)
    assert [bytes(tensor.data) for tensor in together.results[0]] == [
        bytes(tensor.data) for tensor in expected.results[0]
    ]
    assert all((tensor.place is not None) == (spare > 0) for tensor in together.results[0])
