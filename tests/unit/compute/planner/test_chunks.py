"""Directions in chunks give what all of them at once give, within a budget of memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pullback.program.tensors import parse_tensor_type
from pullback_server.compute.planner.chunks import Chunking
from pullback_server.compute.planner.derivative import Along, Derivative
from pullback_server.compute.planner.footprint import Footprint, footprint_of
from pullback_server.model.quantities import Mode

ROOT = Path(__file__).parents[4]
X = np.linspace(-1, 1, 7)
W = np.random.default_rng(0).normal(size=(5, 7))
DIRECTIONS = np.random.default_rng(1).normal(size=(5, 7))


def vector(x: jax.Array) -> jax.Array:
    """f64[7] -> f64[5]."""
    return jnp.tanh(W @ x) * x[:5]


def scalar(x: jax.Array) -> jax.Array:
    """f64[7] -> f64[]."""
    return jnp.sum(vector(x) ** 3)


@pytest.fixture(scope="module")
def narrow(make_bench: Any) -> Any:
    """A bench whose budget holds one or two directions."""
    return make_bench(options={"sweep_bytes": 400})


@pytest.mark.parametrize(
    ("function", "quantity", "extras"),
    [
        (vector, "jacobian", {"mode": "forward"}),
        (vector, "jacobian", {"mode": "reverse"}),
        (vector, "hessian", {}),
        (scalar, "hessian", {}),
        (scalar, "hessian", {"modes": (Mode.FORWARD, Mode.REVERSE)}),
        (scalar, "hessian", {"sparse": True}),
        (scalar, "hessian_diag", {}),
        (scalar, "laplacian", {"modes": (Mode.FORWARD, Mode.FORWARD)}),
        (scalar, "derivative", {"order": 3}),
    ],
)
def test_the_same_in_chunks(
    bench: Any, narrow: Any, want: Any, close: Any, function: Any, quantity: str, extras: dict[str, Any]
) -> None:
    """A budget of a few hundred bytes changes nothing but the last bits, beside the value and in a batch."""
    wants = [want("value"), want(quantity, **extras)]
    points = np.stack([X, X / 3])
    at_once = bench.evaluate(bench.load(function, X), wants, points, points=2)
    in_chunks = narrow.evaluate(narrow.load(function, X), wants, points, points=2)
    for one, other in zip(at_once, in_chunks, strict=True):
        close(other, one)


def test_given_directions_in_chunks(narrow: Any, want: Any, close: Any) -> None:
    """Tangents and cotangents that a request brings are taken a few at a time, too."""
    wants = [want("hvp", directions=5), want("vjp", directions=5)]
    products, pulled = narrow.evaluate(
        narrow.load(scalar, X), wants, X, tangents=[DIRECTIONS], cotangents=[np.arange(5.0)]
    )
    close(products, DIRECTIONS @ jax.hessian(scalar)(X))
    close(pulled, np.arange(5.0)[:, None] * jax.grad(scalar)(X))


def chunking(live: int, tape: int, size: int, budget: int) -> Chunking:
    """Of a function of one array to one scalar."""
    return Chunking(Footprint(live, tape), (size,), 1, 8, budget)


def test_small_functions_are_not_cut() -> None:
    """Where everything fits, all directions are taken at a time."""
    gradient = Derivative(Mode.REVERSE, Along.ONE, (0,))
    hessian = Derivative(Mode.FORWARD, Along.BASIS, (0,), gradient)
    assert chunking(100, 300, 50, 10**6).chunk(hessian) == 50


def test_chunks_follow_the_budget() -> None:
    """Twice the budget holds twice the directions; one is always taken; a divisor is preferred."""
    gradient = Derivative(Mode.REVERSE, Along.ONE, (0,))
    hessian = Derivative(Mode.FORWARD, Along.BASIS, (0,), gradient)
    sizes = [chunking(1000, 9000, 4096, budget).chunk(hessian) for budget in (1, 10**6, 2 * 10**6)]
    assert sizes[0] == 1
    assert sizes[1] * 2 == sizes[2]
    assert 4096 % sizes[1] == 0
    assert chunking(1000, 9000, 4096, 2 * 10**6).working(hessian) <= 2 * 10**6


def test_the_largest_divisor_is_found() -> None:
    """Above half of what fits, whatever the numbers; what fits where there is none."""
    for count in range(1, 150):
        jacobian = Derivative(Mode.FORWARD, Along.BASIS, (0,))
        for most in range(1, count):
            divisors = [size for size in range(most // 2 + 1, most + 1) if count % size == 0]
            assert chunking(1, 1, count, most).chunk(jacobian) == max(divisors, default=most)


def test_many_directions_are_cut_at_once() -> None:
    """A large prime number of directions is not searched number by number."""
    jacobian = Derivative(Mode.FORWARD, Along.BASIS, (0,))
    assert chunking(1, 1, 2_147_483_647, 10**9).chunk(jacobian) == 10**9


def test_a_footprint() -> None:
    """What lives at one time, and all there is: in a loop, as often as it runs."""

    def chain(x: jax.Array) -> tuple[jax.Array]:
        return (jnp.sin(jnp.sin(jnp.sin(x))),)

    def loop(x: jax.Array) -> tuple[jax.Array]:
        return (jax.lax.fori_loop(0, 10, lambda _, c: jnp.sin(c), x),)

    types = [parse_tensor_type("f64[4]")]
    assert footprint_of(chain, types) == Footprint(live=64, tape=96)
    assert footprint_of(loop, types).tape >= 320


@pytest.mark.slow
def test_a_hessian_of_4096_in_bounded_memory() -> None:
    """It takes less than 1 GiB, results of 128 MiB and JAX itself included; jax.hessian takes over 4."""
    command = [sys.executable, str(ROOT / "bench" / "memory.py"), "hessian 4096 x 4096", "planned"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=True)
    peak = float(done.stdout.split("MiB")[0].split()[-1])
    assert peak < 1024
