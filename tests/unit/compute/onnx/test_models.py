"""Whole networks: values are those of ONNX's reference, derivatives those of finite differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import onnx
import pytest
from jax.test_util import check_grads
from onnx import helper
from onnx.reference import ReferenceEvaluator
from unit.compute.onnx.models import Array, model_of

from pullback.program.container import Onnx
from pullback_server.compute.formats.onnx.lift import lift

node = helper.make_node


def _constants(**named: tuple[int, ...]) -> dict[str, Array]:
    generator = np.random.default_rng(0)
    return {name: generator.normal(size=shape) for name, shape in named.items()}


def mlp() -> onnx.ModelProto:
    """Two layers, and a shape that is computed from the input's."""
    nodes = [
        node("Gemm", ["x", "w", "b"], ["h"], transB=1, alpha=0.5),
        node("Gelu", ["h"], ["a"]),
        node("MatMul", ["a", "v"], ["y"]),
        node("Shape", ["y"], ["s"]),
        node("Gather", ["s", "zero"], ["rows"], axis=0),
        node("Concat", ["rows", "minus"], ["shape"], axis=0),
        node("Reshape", ["y", "shape"], ["flat"]),
        node("LogSoftmax", ["flat"], ["z"]),
    ]
    fixed = {"zero": np.array([0]), "minus": np.array([-1])}
    return model_of(nodes, {"x": (3, 4)}, {"z": 2}, {**_constants(w=(5, 4), b=(5,), v=(5, 2)), **fixed})


def cnn() -> onnx.ModelProto:
    """Convolutions, normalization, pooling, and a transposed convolution."""
    nodes = [
        node("Conv", ["x", "w", "b"], ["c"], pads=[1, 1, 1, 1], strides=[2, 1]),
        node("BatchNormalization", ["c", "g", "b", "m", "s"], ["n"]),
        node("LeakyRelu", ["n"], ["r"], alpha=0.2),
        node("MaxPool", ["r"], ["p"], kernel_shape=[2, 3], strides=[1, 2], ceil_mode=1),
        node("ConvTranspose", ["p", "t"], ["u"], strides=[2, 2], output_padding=[1, 0]),
        node("AveragePool", ["u"], ["a"], kernel_shape=[2, 2], auto_pad="SAME_UPPER", count_include_pad=0),
        node("GlobalAveragePool", ["a"], ["q"]),
        node("Flatten", ["q"], ["z"]),
    ]
    constants = _constants(w=(4, 3, 3, 3), b=(4,), g=(4,), m=(4,), t=(4, 2, 2, 3))
    constants["s"] = np.array([0.5, 1.0, 2.0, 1.5])
    return model_of(nodes, {"x": (2, 3, 7, 8)}, {"z": 2}, constants)


def transformer() -> onnx.ModelProto:
    """A block of a transformer, its heads cut by reshaping."""
    nodes = [
        node("LayerNormalization", ["x", "g", "b"], ["n"], epsilon=1e-6),
        node("MatMul", ["n", "wqkv"], ["qkv"]),
        node("Split", ["qkv"], ["q", "k", "v"], axis=-1, num_outputs=3),
        *[node("Reshape", [name, "heads"], [f"{name}1"]) for name in "qkv"],
        *[node("Transpose", [f"{name}1"], [f"{name}2"], perm=[0, 2, 1, 3]) for name in "qv"],
        node("Transpose", ["k1"], ["k2"], perm=[0, 2, 3, 1]),
        node("MatMul", ["q2", "k2"], ["scores"]),
        node("Div", ["scores", "root"], ["scaled"]),
        node("Trilu", ["ones"], ["mask"], upper=0),
        node("Cast", ["mask"], ["seen"], to=9),
        node("Where", ["seen", "scaled", "far"], ["masked"]),
        node("Softmax", ["masked"], ["weights"]),
        node("Einsum", ["weights", "v2"], ["mixed"], equation="bhij,bhjd->bihd"),
        node("Reshape", ["mixed", "together"], ["joined"]),
        node("MatMul", ["joined", "wo"], ["o"]),
        node("Add", ["x", "o"], ["res"]),
        node("MatMul", ["res", "w1"], ["f"]),
        node("Gelu", ["f"], ["e"], approximate="tanh"),
        node("MatMul", ["e", "w2"], ["d"]),
        node("Add", ["res", "d"], ["z"]),
    ]
    constants = _constants(g=(6,), b=(6,), wqkv=(6, 18), wo=(6, 6), w1=(6, 9), w2=(9, 6))
    fixed: dict[str, Array] = {
        "heads": np.array([0, 0, 2, 3]),
        "together": np.array([0, 0, -1]),
        "root": np.array(np.sqrt(3.0)),
        "ones": np.ones((4, 4)),
        "far": np.array(-1e9),
    }
    return model_of(nodes, {"x": (2, 4, 6)}, {"z": 3}, {**constants, **fixed})


def recurrent() -> onnx.ModelProto:
    """An LSTM in both directions, and a GRU."""
    nodes = [
        node("LSTM", ["x", "w", "r", "b"], ["y", "", "c"], hidden_size=3, direction="bidirectional"),
        node("ReduceSum", ["y", "axis"], ["s"], keepdims=0),
        node("GRU", ["s", "gw", "gr"], ["", "h"], hidden_size=2, linear_before_reset=1),
        node("ReduceMean", ["c"], ["m"], keepdims=0),
        node("Add", ["h", "m"], ["z"]),
    ]
    constants = _constants(w=(2, 12, 4), r=(2, 12, 3), b=(2, 24), gw=(1, 6, 3), gr=(1, 6, 2))
    return model_of(nodes, {"x": (5, 2, 4)}, {"z": 3}, {**constants, "axis": np.array([1])})


MODELS = {"mlp": mlp, "cnn": cnn, "transformer": transformer, "recurrent": recurrent}


@pytest.mark.parametrize("name", MODELS)
def test_network(name: str) -> None:
    """Values, first and second derivatives in both modes, and batches."""
    model = MODELS[name]()
    shape = tuple(size.dim_value for size in model.graph.input[0].type.tensor_type.shape.dim)
    x = np.random.default_rng(1).normal(size=shape)
    function = jax.jit(lift(Onnx(model.SerializeToString())))
    (expected,) = ReferenceEvaluator(model).run(None, {"x": x})
    np.testing.assert_allclose(function([x])[0], expected, rtol=1e-6, atol=1e-7)

    def value(point: jax.Array) -> jax.Array:
        return jnp.sum(jnp.sin(function([point])[0]))

    check_grads(value, (jnp.asarray(x),), order=1, modes=["fwd", "rev"], rtol=1e-4)
    tangent = jnp.asarray(np.random.default_rng(2).normal(size=shape))
    _, forward = jax.jvp(jax.grad(value), (x,), (tangent,))
    step = 1e-5 * np.asarray(tangent)
    difference = (jax.grad(value)(x + step) - jax.grad(value)(x - step)) / 2e-5
    np.testing.assert_allclose(forward, difference, rtol=1e-3, atol=1e-5)
    points = np.stack([x, 2 * x, -x])
    np.testing.assert_allclose(
        jax.vmap(jax.grad(value))(points)[1], jax.grad(value)(2 * x), rtol=1e-8, atol=1e-10
    )


@pytest.mark.parametrize(
    "element", [onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE]
)
def test_element_types_stay(element: int) -> None:
    """No operator widens a type or narrows one."""
    dtype = helper.tensor_dtype_to_np_dtype(element)
    nodes: list[Any] = [
        node("Pow", ["x", "two"], ["a"]),
        node("Selu", ["a"], ["b"]),
        node("Softplus", ["b"], ["c"]),
        node("ReduceL2", ["c"], ["d"]),
        node("Mul", ["c", "d"], ["e"]),
        node("InstanceNormalization", ["e", "one", "one"], ["z"]),
    ]
    constants = {"two": np.array(2, dtype), "one": np.ones(3, dtype)}
    model = model_of(nodes, {"x": (2, 3, 4)}, {"z": 3}, constants, element=element)
    function: Callable[..., Any] = jax.jit(lift(Onnx(model.SerializeToString())))
    x = np.linspace(-1, 1, 24, dtype=dtype).reshape(2, 3, 4)
    assert function([x])[0].dtype == dtype
    gradient = jax.grad(lambda point: function([point])[0].astype(np.float64).sum())
    assert jax.jit(gradient)(x).dtype == dtype
