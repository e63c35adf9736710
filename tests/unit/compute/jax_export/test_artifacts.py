"""Artifacts of jax.export: their signatures, their values, their derivatives, and what is refused."""

from __future__ import annotations

import random
from collections import OrderedDict, namedtuple
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

from pullback.program.container import JaxExport
from pullback.program.trees import LEAF, DictNode, NamedTupleNode
from pullback_server.errors import Reason, ServiceError

Pair = namedtuple("Pair", "first second")  # noqa: PYI024 -- what users of jax.export register
export.register_namedtuple_serialization(Pair, serialized_name="somewhere.else.Pair")


@jax.tree_util.register_pytree_node_class
class Own:
    """A container that only this process knows."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def tree_flatten(self) -> Any:
        """Its one leaf."""
        return (self.value,), None

    @classmethod
    def tree_unflatten(cls, _: Any, leaves: Any) -> Own:
        """The opposite."""
        return cls(*leaves)


export.register_pytree_node_serialization(
    Own,
    serialized_name="somewhere.else.Own",
    serialize_auxdata=lambda _: b"",
    deserialize_auxdata=lambda _: None,
)


@jax.custom_vjp
def steered(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Cubes and their number; the gradient is what its author says."""
    return x**3, jnp.int32(x.shape[0])


steered.defvjp(lambda x: (steered(x), x), lambda x, given: (7 * given[0] * x**2,))


def f64(*shape: Any) -> jax.ShapeDtypeStruct:
    """A type of float64."""
    return jax.ShapeDtypeStruct(shape, np.dtype("float64"))


X = np.array([0.5, -1.0, 2.0])


def test_signature(bench: Any, serialize: Any) -> None:
    """Positional arguments by number or name, keywords by their names, each with its structure."""

    def function(pair: Any, unused: Any, *, scale: Any) -> Any:  # noqa: ARG001 -- jax.export drops it
        return OrderedDict(a=pair.first * scale["by"][0], b=None)

    types = (Pair(f64(3), f64()), jax.ShapeDtypeStruct((0, 2), np.dtype("bool")))
    artifact = serialize(function, *types, scale={"by": [f64()]})
    found = bench.load(JaxExport(artifact)).signature
    assert [argument.name for argument in found.arguments] == ["arg0", "arg1", "scale"]
    assert found.arguments[0].tree == NamedTupleNode("Pair", ("first", "second"), (LEAF, LEAF))
    assert list(map(str, found.leaves)) == ["f64[3]", "f64[]", "i1[0,2]", "f64[]"]
    assert isinstance(found.result.tree, DictNode)
    named = bench.load(JaxExport(artifact, ("pair", "unused"))).signature
    assert [argument.name for argument in named.arguments] == ["pair", "unused", "scale"]
    body = JaxExport(artifact)
    np.testing.assert_array_equal(
        bench.evaluate(body, "value", X, 9.0, np.zeros((0, 2), bool), 2.0)[0], 2 * X
    )


def test_random_keys_are_their_words(bench: Any, serialize: Any) -> None:
    """A key goes in as the words that it is made of."""
    with jax.enable_x64(True):
        key = jax.random.key(7)
        expected = jax.random.normal(key, (4,))
    try:
        artifact = serialize(lambda key: jax.random.normal(key, (4,)), key)
    except (NotImplementedError, KeyError, ValueError):
        pytest.skip("this JAX cannot serialize keys")
    body = JaxExport(artifact)
    assert str(bench.load(body).signature.leaves[0]) == "ui32[2]"
    value = bench.evaluate(body, "value", np.asarray(jax.random.key_data(key)))[0]
    np.testing.assert_allclose(value, expected, rtol=1e-14)


@pytest.mark.parametrize("order", [0, 1, 2])
def test_reverse_mode_is_the_artifact_s_own(bench: Any, serialize: Any, order: int) -> None:
    """With VJPs, reverse mode is theirs, beside integer results, in batches, and under forward mode."""
    body = JaxExport(serialize(lambda x: steered(x)[0].sum(), f64(3), vjp_order=order))
    slope, bend = (7 * X**2, 14 * X) if order else (3 * X**2, 6 * X)
    np.testing.assert_allclose(bench.evaluate(body, "gradient", X)[0], slope, rtol=1e-14)
    np.testing.assert_allclose(bench.evaluate(body, "hessian", X)[0], np.diag(bend), rtol=1e-14)
    batch = bench.evaluate(body, "gradient", np.stack([X, -X]), points=2)[0]
    np.testing.assert_allclose(batch, np.stack([slope, slope]), rtol=1e-14)


def test_reverse_mode_beside_integers(bench: Any, serialize: Any) -> None:
    """Integer arguments and results have no cotangents, and the VJP is asked for none."""

    def function(x: Any, k: Any) -> Any:
        cubes, count = steered(x)
        return jnp.sum(cubes) * k, count + k

    body = JaxExport(serialize(function, f64(3), jax.ShapeDtypeStruct((), np.dtype("int32")), vjp_order=1))
    value, count = bench.evaluate(body, "value", X, np.int32(2))
    assert (value, count) == (2 * np.sum(X**3), 5)


@pytest.mark.parametrize("platforms", [("tpu",), ("cuda",), ("cpu", "cuda"), ("cuda", "tpu")])
def test_whatever_platform_it_was_made_for(bench: Any, serialize: Any, platforms: Any) -> None:
    """A lifted program runs anywhere; of several platforms, the calls of one are left."""

    def function(a: Any) -> Any:
        return jnp.sum(jnp.linalg.cholesky(a @ a.T + jnp.eye(3)))

    a = np.arange(9.0).reshape(3, 3)
    body = JaxExport(serialize(function, f64(3, 3), platforms=platforms))
    with jax.enable_x64(True):
        np.testing.assert_allclose(bench.evaluate(body, "value", a)[0], function(a), rtol=1e-13)
        np.testing.assert_allclose(bench.evaluate(body, "gradient", a)[0], jax.grad(function)(a), rtol=1e-9)


def test_symbolic_sizes(bench: Any, serialize: Any) -> None:
    """Expressions of symbols, and VJPs that are symbolic as well."""
    n, m = export.symbolic_shape("n, m")

    def function(x: Any, y: Any) -> Any:
        return jnp.concatenate([x.reshape(-1), y])[1:].sum() * jnp.sum(steered(y)[0])

    body = JaxExport(serialize(function, f64(n, m), f64(n * m + 2), vjp_order=1))
    assert list(map(str, bench.load(body).signature.leaves)) == ["f64[n,m]", "f64[m*n+2]"]
    x, y = np.arange(6.0).reshape(2, 3), np.ones(8)
    np.testing.assert_allclose(bench.evaluate(body, "value", x, y)[0], (15.0 + 8.0) * 8.0)
    np.testing.assert_allclose(
        bench.evaluate(body, "gradient", x, y)[0], np.where(np.arange(6) > 0, 8.0, 0).reshape(2, 3)
    )
    with pytest.raises(ServiceError, match="since m = 3, n = 2") as caught:
        bench.evaluate(body, "value", x, np.ones(7))
    assert caught.value.reason is Reason.SHAPE_MISMATCH


def test_constraints_of_symbols_hold(bench: Any, serialize: Any) -> None:
    """Sizes that the author has excluded are refused where they are asked for."""
    n, _ = export.symbolic_shape("n, m", constraints=["n >= 4", "mod(n, 2) == 0"])
    body = JaxExport(serialize(lambda x: x[:4].sum(), f64(n)))
    assert bench.evaluate(body, "value", np.ones(6))[0] == 4
    with pytest.raises(ServiceError, match="n = 2") as caught:
        bench.evaluate(body, "value", np.ones(2))
    assert caught.value.reason is Reason.SHAPE_MISMATCH


def test_sizes_in_an_order_are_found(bench: Any, serialize: Any) -> None:
    """A program is accepted where some sizes fit, however large or in what order they must be."""
    n, m = export.symbolic_shape("n, m", constraints=["m >= n + 1", "n >= 600"])
    body = JaxExport(serialize(lambda x, y: x.sum() + y[: x.shape[0] + 1].sum(), f64(n), f64(m)))
    assert bench.evaluate(body, "value", np.ones(700), np.ones(702))[0] == 1401


def refusal(bench: Any, artifact: bytes) -> ServiceError:
    """The error that loading an artifact ends with."""
    with pytest.raises(ServiceError) as caught:
        bench.load(JaxExport(artifact))
    return caught.value


def test_containers_of_others_are_refused(bench: Any, serialize: Any) -> None:
    """A node type that is registered in this very process takes no part."""
    error = refusal(bench, serialize(lambda own: own.value, Own(f64(2))))
    assert error.reason is Reason.UNSUPPORTED_OPERATION
    assert "somewhere.else.Own" in error.message


def test_structures_of_very_many_nodes_are_refused(bench: Any, serialize: Any) -> None:
    """They would be large in the server's memory though they are small in the artifact."""
    error = refusal(bench, serialize(lambda x: x[0], [f64(), *[None] * 70_000]))
    assert error.reason is Reason.MALFORMED_PROGRAM
    assert "more than 65536 nodes" in error.message


def test_several_devices_are_refused(bench: Any) -> None:
    """A server computes each program on one device."""
    mesh = jax.sharding.AbstractMesh((2,), ("x",))
    sharding = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("x"))
    wanted = jax.ShapeDtypeStruct((4,), np.dtype("float32"), sharding=sharding)
    artifact = export.export(jax.jit(lambda x: x + 1, in_shardings=sharding))(wanted).serialize()
    assert "for 2 devices" in refusal(bench, bytes(artifact)).message


def test_damaged_artifacts_are_refused(bench: Any, serialize: Any) -> None:
    """Artifacts that were cut off or changed outside of their module give an error with a reason."""
    artifact = serialize(lambda x: x * 2, f64(3))
    start = artifact.index(b"ML\xefR")
    choose = random.Random(0)  # noqa: S311 -- chooses damage
    for _ in range(60):
        damaged = bytearray(artifact)
        place = choose.randrange(0, start)
        damaged[place] = choose.randrange(256)
        for data in (bytes(damaged), artifact[:place]):
            assert _reason(bench, data) in (None, Reason.MALFORMED_PROGRAM, Reason.UNSUPPORTED_OPERATION)


def _reason(bench: Any, artifact: bytes) -> Reason | None:
    try:
        bench.load(JaxExport(artifact))
    except ServiceError as error:
        return error.reason
    return None
