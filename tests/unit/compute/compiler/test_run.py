"""Results go to their places, at a point, in a batch, and tile by tile."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from evaluations import evaluation

from pullback_server.compute.arrays import to_array, to_tensor
from pullback_server.compute.compiler.tiles import Tiling
from pullback_server.compute.kernel import places_in
from pullback_server.model.evaluation import Evaluation
from pullback_server.model.memory import Place, Segment

RANDOM = np.random.default_rng(17)


def several(x: jax.Array) -> tuple[jax.Array, ...]:
    """f64[3] -> f64[3], i1[3], i4[3], f64[0], bf16[]."""
    return jnp.sin(x), x > 0, jnp.sign(x).astype("int4"), x[:0], jnp.sum(x).astype("bfloat16")


@pytest.fixture(scope="module")
def tiled(make_bench: Any) -> Any:
    """A bench that cuts batches into tiles of four points."""
    return make_bench(tiling=Tiling(2**20, points=4))


@pytest.fixture(scope="module")
def name(tiled: Any) -> str:
    """The function, loaded."""
    return tiled.load(several, np.ones(3))


def asked(name: str, want: Any, xs: Any, points: int | None) -> Evaluation:
    """An evaluation of the function's value at some points."""
    return evaluation(name, [want("value")], [to_tensor(xs)], points=points)


def place_of(nbytes: int) -> Place:
    """A place in memory that begins with other bytes."""
    memory = np.full(nbytes + 64, 0xAB, np.uint8)
    return Place(Segment(1, -1, memory), 64, nbytes)


@pytest.mark.parametrize("points", [None, 0, 1, 3, 4, 11])
def test_results_lie_in_their_place(tiled: Any, want: Any, same: Any, name: str, points: int | None) -> None:
    """Each leaf at a multiple of 64 bytes, as without a place, whatever its element type; nothing before."""
    xs = RANDOM.normal(size=3 if points is None else (points, 3))
    request = asked(name, want, xs, points)
    place = place_of(4096)
    outcome = tiled.kernel.evaluate(replace(request, results=place))
    expected = several(xs) if points is None else jax.vmap(several)(xs)
    same([to_array(tensor) for tensor in outcome.results[0]], expected)
    for tensor in outcome.results[0]:
        if tensor.type.nbytes:
            data = np.frombuffer(tensor.data, np.uint8)
            assert np.shares_memory(data, place.segment.memory)
            assert (data.ctypes.data - place.segment.memory.ctypes.data) % 64 == 0
    assert set(place.segment.memory[:64]) == {0xAB}


def test_what_does_not_fit_lies_elsewhere(tiled: Any, want: Any, same: Any, name: str) -> None:
    """A place for the first leaf alone holds that, and the others come by themselves."""
    xs = RANDOM.normal(size=(6, 3))
    place = place_of(6 * 24)
    outcome = tiled.kernel.evaluate(replace(asked(name, want, xs, 6), results=place))
    same([to_array(tensor) for tensor in outcome.results[0]], jax.vmap(several)(xs))
    inside = [
        np.shares_memory(np.frombuffer(tensor.data, np.uint8), place.segment.memory)
        for tensor in outcome.results[0]
        if tensor.type.nbytes
    ]
    assert inside == [True, False, False, False]


def test_coordinates_of_sparse_results_have_places(tiled: Any, want: Any) -> None:
    """Values, rows and columns, of which a batch has but one each."""
    name = tiled.load(lambda x: x**2, np.ones(3))
    xs = RANDOM.normal(size=(9, 3))
    wants = [want("jacobian", sparse=True)]
    request = evaluation(name, wants, [to_tensor(xs)], points=9)
    outcome = tiled.kernel.evaluate(replace(request, results=place_of(4096)))
    values, rows, columns = (to_array(tensor) for tensor in outcome.results[0])
    np.testing.assert_array_equal(rows, columns)
    np.testing.assert_allclose(values, 2 * xs[:, rows], rtol=1e-15)
    made = tiled.kernel.prepare(request.kind)
    sizes = [place and len(place) for place in places_in(memoryview(bytearray(300)), made, 9)]
    assert sizes == [216, 12, None]


@pytest.mark.parametrize(
    ("points", "bucket", "batch"), [(3, 1, 4), (2, 4, 4), (1, 4, 4), (3, 64, 4), (9, 2, 12)]
)
def test_a_bucket_that_is_asked_for(
    tiled: Any, want: Any, same: Any, name: str, points: int, bucket: int, batch: int
) -> None:
    """It pads to more than is needed, up to a tile; the outcome says how much ran."""
    xs = RANDOM.normal(size=(points, 3))
    request = asked(name, want, xs, points)
    made = tiled.kernel.prepare(request.kind)
    ran = tiled.kernel.run(made, [xs.tobytes()], points, bucket=bucket)
    assert (ran.timing.batch, ran.timing.padding) == (batch, batch - points)
    results = made.by_want(ran.buffers, points)
    same([to_array(tensor) for tensor in results[0]], jax.vmap(several)(xs))
    assert tiled.kernel.ready(request.kind, points, bucket)


def test_kinds_of_the_same_content_share_executables(tiled: Any, want: Any, name: str) -> None:
    """A kind that was made anew finds what one like it has compiled."""
    xs = RANDOM.normal(size=(4, 3))
    first, second = asked(name, want, xs, 4), asked(name, want, xs, 4)
    tiled.kernel.evaluate(first)
    assert first.kind is not second.kind
    assert not tiled.kernel.ready(second.kind, 4)
    assert tiled.kernel.warm(second.kind, 4)
    assert tiled.kernel.ready(second.kind, 4)


def test_executables_are_kept_within_their_memory(make_bench: Any, want: Any) -> None:
    """The one that was not used for longest goes, and is compiled again when it is asked for."""
    bench = make_bench(options={"executable_bytes": 1_300_000})
    x = to_tensor(np.ones(3))
    names = [bench.load(function, np.ones(3)) for function in (jnp.sin, jnp.cos, jnp.tan)]
    kinds = [evaluation(name, [want("value")], [x]).kind for name in names]
    assert [bench.kernel.warm(kind, None) for kind in kinds] == [False] * 3
    assert [bench.kernel.ready(kind, None) for kind in kinds] == [False, True, True]
    assert not bench.kernel.warm(kinds[0], None)
