"""Results go to their places, at a point, in a batch, and tile by tile."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from evaluations import by_want, evaluated, evaluation

from pullback_server.compute.arrays import to_array, to_tensor
from pullback_server.compute.compiler.tiles import Tiling
from pullback_server.compute.kernel import Kernel
from pullback_server.model.evaluation import Buffer, Evaluation, Tensor

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


def run_into(memory: np.ndarray, kernel: Kernel, request: Evaluation) -> list[Tensor]:
    """Runs with places for the leaves of the results, as far as they fit, behind the first 64 bytes."""
    made = kernel.prepare(request.kind)
    places: list[Buffer | None] = []
    end = 64
    for leaf in made.leaves:
        begin, end = end, end + leaf.nbytes(request.points)
        places.append(memoryview(memory)[begin:end] if end <= len(memory) else None)
        end = -(-end // 64) * 64
    ran = kernel.run(made, request.inputs, request.points, places)
    return [tensor for tensors in by_want(made, ran.buffers, request.points) for tensor in tensors]


def memory_of(nbytes: int) -> np.ndarray:
    """So many bytes that begin with other bytes."""
    return np.full(nbytes + 64, 0xAB, np.uint8)


def lies_in(memory: np.ndarray, tensors: list[Tensor]) -> list[bool]:
    """Whether tensors lie in a memory, without those of no bytes."""
    return [
        np.shares_memory(np.frombuffer(tensor.data, np.uint8), memory)
        for tensor in tensors
        if tensor.type.nbytes
    ]


@pytest.mark.parametrize("points", [None, 0, 1, 3, 4, 11])
def test_results_lie_in_their_places(tiled: Any, want: Any, same: Any, name: str, points: int | None) -> None:
    """Each leaf, as without a place, whatever its element type; nothing is written before them."""
    xs = RANDOM.normal(size=3 if points is None else (points, 3))
    memory = memory_of(4096)
    tensors = run_into(memory, tiled.kernel, asked(name, want, xs, points))
    same(list(map(to_array, tensors)), several(xs) if points is None else jax.vmap(several)(xs))
    assert all(lies_in(memory, tensors))
    assert set(memory[:64]) == {0xAB}


def test_what_has_no_place_lies_elsewhere(tiled: Any, want: Any, same: Any, name: str) -> None:
    """With a place for the first leaf alone that is written there, and the others come by themselves."""
    xs = RANDOM.normal(size=(6, 3))
    memory = memory_of(6 * 24)
    tensors = run_into(memory, tiled.kernel, asked(name, want, xs, 6))
    same(list(map(to_array, tensors)), jax.vmap(several)(xs))
    assert lies_in(memory, tensors) == [True, False, False, False]


def test_coordinates_of_sparse_results_have_places(tiled: Any, want: Any) -> None:
    """Values, rows and columns, of which a batch has but one each."""
    name = tiled.load(lambda x: x**2, np.ones(3))
    xs = RANDOM.normal(size=(9, 3))
    request = evaluation(name, [want("jacobian", sparse=True)], [to_tensor(xs)], points=9)
    memory = memory_of(4096)
    tensors = run_into(memory, tiled.kernel, request)
    values, rows, columns = map(to_array, tensors)
    np.testing.assert_array_equal(rows, columns)
    np.testing.assert_allclose(values, 2 * xs[:, rows], rtol=1e-15)
    assert lies_in(memory, tensors) == [True] * 3
    assert [leaf.nbytes(9) for leaf in tiled.kernel.prepare(request.kind).leaves] == [216, 12, 12]


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
    results = by_want(made, ran.buffers, points)
    same([to_array(tensor) for tensor in results[0]], jax.vmap(several)(xs))
    assert tiled.kernel.ready(request.kind, points, bucket)


def test_kinds_of_the_same_content_share_executables(tiled: Any, want: Any, name: str) -> None:
    """A kind that was made anew finds what one like it has compiled."""
    xs = RANDOM.normal(size=(4, 3))
    first, second = asked(name, want, xs, 4), asked(name, want, xs, 4)
    evaluated(tiled.kernel, first)
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
