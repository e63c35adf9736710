"""ONNX models from a client that has neither JAX nor onnx."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import pullback
from pullback.errors import InvalidArgumentError

SCRIPT = """
import sys
import numpy as np
import pullback
with pullback.connect(sys.argv[1]) as client:
    function = client.register(pullback.Onnx(sys.argv[2]), name="from-a-light-client")
    x = np.load(sys.argv[3])
    np.savez(sys.argv[4], value=function(x[0]), jacobians=function.jacobian(x), whole=function(x))
heavy = {"jax", "jaxlib", "onnx", "pullback_server", "ml_dtypes"} & set(sys.modules)
assert not heavy, heavy
"""
generator = np.random.default_rng(0)
W, B, V = generator.normal(size=(4, 5)), generator.normal(size=5), generator.normal(size=(5, 2))


def mlp(rows: int | str = 3, element: int = TensorProto.DOUBLE) -> onnx.ModelProto:
    """Two layers, whose rows may be open."""
    nodes = [
        helper.make_node("Gemm", ["input.1", "w", "b"], ["h"]),
        helper.make_node("Tanh", ["h"], ["a"]),
        helper.make_node("MatMul", ["a", "v"], ["y"]),
    ]
    dtype = helper.tensor_dtype_to_np_dtype(element)
    weights = {"w": W, "b": B, "v": V}
    graph = helper.make_graph(
        nodes,
        "mlp",
        [helper.make_tensor_value_info("input.1", element, [rows, 4])],
        [helper.make_tensor_value_info("y", element, [rows, 2])],
        [numpy_helper.from_array(array.astype(dtype), name) for name, array in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)


def expected(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Value and Jacobian of one point, (3, 2) and (3, 2, 3, 4)."""
    a = np.tanh(x @ W + B)
    rows = np.einsum("io,hi,ni->noh", V, W, 1 - a**2)
    return a @ V, np.einsum("noh,nm->nomh", rows, np.eye(len(x)))


def test_from_a_light_client(client: pullback.Client, tmp_path: Path) -> None:
    """Values, and the Jacobians of a batch, without a heavy package in the client's process."""
    x = generator.normal(size=(7, 3, 4))
    files = [str(tmp_path / name) for name in ("mlp.onnx", "x.npy", "found.npz")]
    onnx.save_model(mlp(), files[0])
    np.save(files[1], x)
    command = [sys.executable, "-c", SCRIPT, client.address, *files]
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    found = np.load(files[2])
    np.testing.assert_allclose(found["value"], expected(x[0])[0], rtol=1e-12)
    np.testing.assert_allclose(found["jacobians"][5], expected(x[5])[1], rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(found["whole"][6], expected(x[6])[0], rtol=1e-12)


def test_one_registration_serves_every_size(client: pullback.Client) -> None:
    """An open axis is a symbol; the argument has the name of the model's input."""
    function = client.register(mlp("rows"), name="open-rows")
    assert str(function.signature.arguments[0].leaves[0]) == "f64[rows,4]"
    for rows in (2, 5):
        x = generator.normal(size=(rows, 4))
        np.testing.assert_allclose(function.jacobian(input_1=x), expected(x)[1], rtol=1e-12, atol=1e-14)


def test_second_registration_is_the_same_function(client: pullback.Client) -> None:
    """What a model says of itself is no news to the server."""
    first = client.register(mlp(), name="twice")
    second = client.register(pullback.Onnx(mlp().SerializeToString()), name="twice")
    assert first.details.revision == second.details.revision
    assert first.details.format == "onnx"


def test_refusal_leaves_no_trace(client: pullback.Client) -> None:
    """A model with an operator that is not served is refused by name, and the server goes on."""
    model = mlp(element=TensorProto.FLOAT)
    model.graph.node[1].op_type = "Bernoulli"
    with pytest.raises(InvalidArgumentError, match="Bernoulli is random") as caught:
        client.register(model, name="refused")
    assert caught.value.reason == "UNSUPPORTED_OPERATION"
    assert "refused" not in [function.name for function in client.functions()]
    with pytest.raises(InvalidArgumentError, match="are no serialized ONNX model"):
        client.register(pullback.Onnx(b"\xff\xff"), name="refused")
