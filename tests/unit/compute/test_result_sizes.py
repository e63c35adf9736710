"""What requests are told that results will take, against what they take: never less."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from pullback_server.model.quantities import Want
from pullback_server.services.requests.sizes import result_bytes, result_leaves

X = np.linspace(-1.0, 1.0, 3)
M = np.linspace(0.5, 1.5, 8).reshape(4, 2)


def scalar(x: Any, m: Any) -> Any:
    """One real number of two arrays."""
    return jnp.sum(jnp.sin(x)) * jnp.sum(m**3)


def several(x: Any, m: Any) -> Any:
    """Several arrays, one of them without elements."""
    return {"a": jnp.outer(x, m[:, 0]) ** 2, "b": jnp.sum(m) * x[1:], "none": x[:0]}


CASES = [
    ("value", (), {}, several),
    ("gradient", (0,), {}, scalar),
    ("gradient", (1, 0), {}, scalar),
    ("jacobian", (0,), {}, several),
    ("jacobian", (0, 1), {}, several),
    ("jacobian", (1,), {"mode": "forward"}, several),
    ("hessian", (0,), {}, scalar),
    ("hessian", (0, 1), {}, several),
    ("hessian_diag", (1,), {}, scalar),
    ("hessian_diag", (0,), {}, several),
    ("laplacian", (0,), {}, several),
    ("derivative", (0,), {"order": 1}, several),
    ("derivative", (0,), {"order": 3}, several),
    ("derivative", (1, 0), {"order": 2}, scalar),
    ("jvp", (0, 1), {}, several),
    ("jvp", (0, 1), {"directions": 5}, several),
    ("vjp", (0, 1), {}, several),
    ("vjp", (0, 1), {"directions": 2}, several),
    ("hvp", (0,), {}, scalar),
    ("hvp", (0,), {"directions": 7}, scalar),
    ("ggn_vp", (1,), {}, several),
    ("ggn_vp", (1,), {"directions": 3}, several),
]


def _inputs(quantity: str, argnums: tuple[int, ...], count: int | None) -> dict[str, Any]:
    """Tangents or cotangents for a want."""

    def ones(*arrays: Any) -> list[Any]:
        return [np.ones(array.shape if count is None else (count, *array.shape)) for array in arrays]

    if quantity in ("jvp", "hvp", "ggn_vp"):
        return {"tangents": ones(*[(X, M)[i] for i in argnums])}
    if quantity == "vjp":
        result = several(X, M)
        return {"cotangents": ones(*[result[key] for key in sorted(result)])}
    return {}


def _batched(given: dict[str, Any], points: int) -> dict[str, Any]:
    return {name: [np.stack([each] * points) for each in arrays] for name, arrays in given.items()}


@pytest.mark.parametrize(("quantity", "argnums", "extras", "function"), CASES)
@pytest.mark.parametrize("points", [None, 4])
def test_dense_results(
    quantity: str,
    argnums: tuple[int, ...],
    extras: Any,
    function: Any,
    points: int | None,
    want: Any,
    bench: Any,
) -> None:
    """Where all elements have one type, the prediction is what comes, to the byte and to the leaf."""
    name = bench.load(function, X, M)
    wanted: tuple[Want, ...] = (want(quantity, *argnums, **extras),)
    given = _inputs(quantity, argnums, extras.get("directions"))
    arguments = (X, M)
    if points is not None:
        given, arguments = _batched(given, points), (np.stack([X] * points), np.stack([M] * points))
    (leaves,) = bench.evaluate(name, wanted, *arguments, **given, points=points)
    signature = bench.signatures[name]
    assert result_bytes(wanted, signature, points) == sum(leaf.nbytes for leaf in leaves)
    assert result_leaves(wanted, signature) == len(leaves)


@pytest.mark.parametrize(
    ("quantity", "extras"),
    [("jacobian", {}), ("hessian", {}), ("derivative", {"order": 3}), ("hessian_diag", {})],
)
def test_results_of_mixed_types(quantity: str, extras: Any, want: Any, bench: Any) -> None:
    """Where types differ, the prediction takes the widest, and is never less than what comes."""
    x, y = np.float32([1.0, 2.0]), np.linspace(0.1, 0.3, 3)
    name = bench.load(lambda x, y: (x * x, jnp.sum(y**3) * y), x, y)
    wanted = (want(quantity, 0, 1, **extras),)
    (leaves,) = bench.evaluate(name, wanted, x, y)
    predicted = result_bytes(wanted, bench.signatures[name], None)
    assert sum(leaf.nbytes for leaf in leaves) <= predicted
    assert predicted <= 2 * sum(leaf.nbytes for leaf in leaves)


def test_several_wants(want: Any, bench: Any) -> None:
    """What is wanted together is counted together."""
    name = bench.load(scalar, X, M)
    wanted = (want("value"), want("gradient", 0), want("hessian", 0))
    found = bench.evaluate(name, wanted, X, M)
    total = sum(leaf.nbytes for leaves in found for leaf in leaves)
    assert result_bytes(wanted, bench.signatures[name], None) == total == 8 * (1 + 3 + 9)
