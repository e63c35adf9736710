"""Large constants: they travel once, are stored once, and give the same derivatives."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import pullback
from pullback.export import export

WEIGHTS = np.random.default_rng(7).normal(size=(200, 180)) / 14
BLOB_BYTES = WEIGHTS.nbytes


@jax.jit
def _layer(x: jax.Array) -> jax.Array:
    return jnp.tanh(x @ WEIGHTS)


def energy(x: jax.Array) -> jax.Array:
    """Closes over the weights inside of a jitted function."""
    return jnp.sum(_layer(x) ** 2)


def margin(x: jax.Array) -> jax.Array:
    """Another function of the same weights."""
    return jax.nn.logsumexp(x @ WEIGHTS)


@pytest.fixture
def wide() -> Iterator[None]:
    """Local JAX computes in float64."""
    with jax.enable_x64(True):
        yield


def large_files(folder: Path) -> list[int]:
    """The sizes of the stored blobs that are as large as the weights."""
    return [
        size
        for path in (folder / "blobs").rglob("*")
        if path.is_file() and (size := path.stat().st_size) > 10**5
    ]


@pytest.mark.parametrize("function", [energy, margin])
@pytest.mark.usefixtures("wide")
def test_derivatives(client: pullback.Client, function: Callable[..., Any]) -> None:
    """Value, gradient and Hessian are local JAX's, at a point and for a batch."""
    x = np.linspace(-1.0, 1.0, 200)
    f = client.register(function, x)
    np.testing.assert_allclose(f(x), function(x), rtol=1e-12)
    np.testing.assert_allclose(f.grad(x), jax.grad(function)(x), rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(f.hessian(x), jax.hessian(function)(x), rtol=1e-9, atol=1e-12)
    batch = np.stack([x, -x, 2 * x])
    np.testing.assert_allclose(f.grad(batch), jax.vmap(jax.grad(function))(batch), rtol=1e-10, atol=1e-13)


def test_stored_once_and_gone_with_the_last(tmp_path: Path) -> None:
    """Two functions share the weights, which survive a restart and go when both are deleted."""
    x = np.ones(200)
    with pullback.local("cpu:1", data_dir=tmp_path) as client:
        client.register(energy, x)
        client.register(margin, x)
        assert large_files(tmp_path) == [BLOB_BYTES]
    with pullback.local("cpu:1", data_dir=tmp_path) as client:
        assert client.function("energy")(x) == pytest.approx(np.sum(np.tanh(x @ WEIGHTS) ** 2))
        client.delete("energy")
        assert client.function("margin")(x) == pytest.approx(np.log(np.sum(np.exp(x @ WEIGHTS))))
        client.delete("margin")
        assert large_files(tmp_path) == []


def test_missing(client: pullback.Client) -> None:
    """A program whose constants never came is refused by name, and the server serves on."""
    program = export(lambda x: jnp.sum(x @ (WEIGHTS * 3)), np.ones(200))
    without = pullback.Program(program.body, program.signature, program.producer)
    with pytest.raises(pullback.NotFoundError, match=program.constants[0]):
        client.register(without, name="incomplete")
    assert "incomplete" not in [function.name for function in client.functions()]
    assert client.register(program, name="complete")(np.ones(200)) == pytest.approx(np.sum(WEIGHTS * 3))


def test_asynchronously(client: pullback.Client) -> None:
    """The asynchronous client brings constants as well."""

    async def value() -> Any:
        async with pullback.aio.connect(client.address) as other:
            f = await other.register(lambda x: jnp.sum(x @ (WEIGHTS * 5)), np.ones(200), name="apart")
            return await f(np.ones(200))

    assert asyncio.run(value()) == pytest.approx(np.sum(WEIGHTS * 5))
