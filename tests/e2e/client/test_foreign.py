"""Programs of other tools against a real server: StableHLO, artifacts of jax.export, symbolic sizes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from click.testing import CliRunner
from jax import export

import pullback
from pullback.cli.commands import pullback as command

SINE_OF_SQUARES = """
func.func @main(%x: tensor<3xf64>, %y: tensor<f64>) -> tensor<f64> {
  %squares = stablehlo.multiply %x, %x : tensor<3xf64>
  %zero = stablehlo.constant dense<0.0> : tensor<f64>
  %sum = stablehlo.reduce(%squares init: %zero) applies stablehlo.add across dimensions = [0]
       : (tensor<3xf64>, tensor<f64>) -> tensor<f64>
  %sine = stablehlo.sine %sum : tensor<f64>
  %product = stablehlo.multiply %sine, %y : tensor<f64>
  return %product : tensor<f64>
}
"""
OPEN = """
func.func @main(%x: tensor<?x2xf32>, %y: tensor<?x2xf32>) -> (tensor<?x2xf32>, tensor<?xf32>) {
  %sum = stablehlo.add %x, %y : tensor<?x2xf32>
  %rows = stablehlo.get_dimension_size %x, dim = 0 : (tensor<?x2xf32>) -> tensor<i32>
  %two = stablehlo.constant dense<2> : tensor<i32>
  %size = stablehlo.multiply %rows, %two : tensor<i32>
  %shape = stablehlo.reshape %size : (tensor<i32>) -> tensor<1xi32>
  %flat = stablehlo.dynamic_reshape %sum, %shape : (tensor<?x2xf32>, tensor<1xi32>) -> tensor<?xf32>
  return %sum, %flat : tensor<?x2xf32>, tensor<?xf32>
}
"""
UNKNOWN_CALL = """
func.func @main(%x: tensor<2xf64>) -> tensor<2xf64> {
  %y = stablehlo.custom_call @mystery(%x) : (tensor<2xf64>) -> tensor<2xf64>
  return %y : tensor<2xf64>
}
"""
SIDE_EFFECT = "func.func @main(%t: !stablehlo.token) -> !stablehlo.token { return %t : !stablehlo.token }"
CONSTANT = """
func.func @main() -> tensor<2xf64> {
  %c = stablehlo.constant dense<[1.0, 2.0]> : tensor<2xf64>
  return %c : tensor<2xf64>
}
"""
X = np.array([0.5, -1.0, 2.0])


class Point(NamedTuple):
    """A container that jax.export knows once it is registered, and servers without that."""

    position: Any
    speed: Any


export.register_namedtuple_serialization(Point, serialized_name="tests.Point")


@jax.custom_vjp
def steered(x: jax.Array) -> jax.Array:
    """The sum of cubes, whose gradient its author has decided to be 7 x^2."""
    return jnp.sum(x**3)


steered.defvjp(lambda x: (steered(x), x), lambda x, cotangent: (7 * cotangent * x**2,))


def exported(function: Any, *types: Any, platforms: Any = None, **keywords: Any) -> export.Exported:
    """A function as jax.export has it, in float64."""
    with jax.enable_x64(True):
        return export.export(jax.jit(function), platforms=platforms)(*types, **keywords)


def f64(*shape: Any) -> jax.ShapeDtypeStruct:
    """A type of float64."""
    return jax.ShapeDtypeStruct(shape, np.dtype("float64"))


def test_text_of_stablehlo(client: pullback.Client) -> None:
    """The server says the signature of a module that the client cannot read; derivatives are lifted."""
    f = client.register(pullback.StableHLO(SINE_OF_SQUARES, names=["x", "y"]), name="sine-of-squares")
    assert str(f.signature.leaves[0]) == "f64[3]"
    np.testing.assert_allclose(f(X, y=2.0), 2 * np.sin(5.25), rtol=1e-14)
    np.testing.assert_allclose(f.grad(X, 2.0), 4 * X * np.cos(5.25), rtol=1e-14)
    hessian = 4 * np.cos(5.25) * np.eye(3) - 8 * np.sin(5.25) * np.outer(X, X)
    np.testing.assert_allclose(f.hessian(X, 2.0), hessian, rtol=1e-13)
    assert client.register(pullback.StableHLO(SINE_OF_SQUARES, names=["x", "y"])).revision.endswith(
        f.details.digest
    )


def test_open_sizes_of_a_module(client: pullback.Client) -> None:
    """Sizes that must agree are one symbol; those of the results follow from it."""
    f = client.register(pullback.StableHLO(OPEN), name="open")
    assert [str(leaf) for leaf in f.signature.leaves] == ["f32[arg0_0,2]", "f32[arg0_0,2]"]
    assert f.signature.result is not None
    assert [str(leaf) for leaf in f.signature.result.leaves] == ["f32[arg0_0,2]", "f32[2*arg0_0]"]
    for rows in (1, 4):
        x = np.arange(2 * rows, dtype=np.float32).reshape(rows, 2)
        total, flat = f(x, x)
        np.testing.assert_array_equal(total, 2 * x)
        np.testing.assert_array_equal(flat, 2 * x.reshape(-1))
    with pytest.raises(pullback.InvalidArgumentError, match="arg0_0 = 4"):
        f(np.ones((4, 2), np.float32), np.ones((3, 2), np.float32))


def test_no_arguments(client: pullback.Client) -> None:
    """A module without arguments has a value and nothing else."""
    f = client.register(pullback.StableHLO(CONSTANT), name="constant")
    np.testing.assert_array_equal(f(), [1.0, 2.0])
    with pytest.raises(pullback.InvalidArgumentError, match="argnums"):
        f.jacobian()


@pytest.mark.parametrize("order", [0, 1, 2])
def test_reverse_mode_of_an_artifact(client: pullback.Client, order: int) -> None:
    """An artifact's own VJPs are its reverse mode, also inside of a Hessian; without, the lifted one is."""
    with jax.enable_x64(True):
        artifact = exported(steered, f64(3)).serialize(vjp_order=order)
    f = client.register(pullback.Exported(bytes(artifact), names=["x"]), name=f"steered-{order}")
    slope, bend = (7 * X**2, 14 * X) if order else (3 * X**2, 6 * X)
    np.testing.assert_allclose(f(X), np.sum(X**3), rtol=1e-14)
    np.testing.assert_allclose(f.grad(X), slope, rtol=1e-14)
    np.testing.assert_allclose(f.hessian(X), np.diag(bend), rtol=1e-14)
    np.testing.assert_allclose(f.grad(np.stack([X, 2 * X])), np.stack([slope, 4 * slope]), rtol=1e-14)
    np.testing.assert_allclose(f.jvp((X,), (np.ones(3),))[1], np.sum(3 * X**2), rtol=1e-14)


def test_an_exported_object_brings_its_reverse_mode(client: pullback.Client) -> None:
    """Whoever registers the object itself gets the gradient that JAX would give."""
    f = client.register(exported(steered, f64(3)), name="steered")
    np.testing.assert_allclose(f.grad(X), 7 * X**2, rtol=1e-14)


def test_structures_of_an_artifact(client: pullback.Client) -> None:
    """Containers, keywords, integers and unused arguments, all as JAX has them."""

    def function(point: Point, pair: Any, *, scale: Any) -> Any:
        return {"energy": jnp.sum(point.speed**2) * scale, "next": [pair[0] + 1, point.position]}

    types = (Point(f64(2), f64(2)), (jax.ShapeDtypeStruct((), np.dtype("int32")), f64(5)))
    f = client.register(exported(function, *types, scale=f64()), name="structures")
    assert [argument.name for argument in f.signature.arguments] == ["arg0", "arg1", "scale"]
    point, pair = Point(X[:2], X[1:]), (np.int32(4), np.zeros(5))
    value = f(point, pair, scale=3.0)
    np.testing.assert_allclose(value["energy"], 15.0)
    assert value["next"][0] == 5
    slopes = f.vjp((point, pair, 3.0), {"energy": 1.0, "next": [None, np.zeros(2)]})[1]
    np.testing.assert_allclose(slopes[0].speed, 6 * X[1:], rtol=1e-14)
    np.testing.assert_allclose(slopes[2], 5.0)


def test_one_registration_serves_every_size(client: pullback.Client) -> None:
    """Symbolic shapes stay symbolic; value, gradient and Hessian at points and batches of several sizes."""

    def function(x: jax.Array, y: jax.Array) -> jax.Array:
        return jnp.sum(jnp.sin(x) * y[::2]) + jnp.sum(x) ** 3 / x.shape[0]

    (n,) = export.symbolic_shape("n")
    platforms = ("cpu", "cuda", "tpu")
    f = client.register(exported(function, f64(n), f64(2 * n), platforms=platforms), name="sizes")
    assert [str(leaf) for leaf in f.signature.leaves] == ["f64[n]", "f64[2*n]"]
    for size in (3, 5):
        x, y = np.linspace(0.1, 1.0, size), np.linspace(-1.0, 1.0, 2 * size)
        with jax.enable_x64(True):
            np.testing.assert_allclose(f(x, y), function(x, y), rtol=1e-14)
            np.testing.assert_allclose(f.grad(x, y), jax.grad(function)(x, y), rtol=1e-13)
            np.testing.assert_allclose(f.hessian(x, y), jax.hessian(function)(x, y), rtol=1e-13)
        batch = f.evaluate(np.stack([x, 2 * x, -x]), y, want=["value", "grad"])
        assert batch.value.shape == (3,)
        np.testing.assert_allclose(batch.grad[0], f.grad(x, y), rtol=1e-13)
    with pytest.raises(pullback.InvalidArgumentError, match="n = 3"):
        f(np.ones(3), np.ones(7))
    assert f.compile(["grad"], sizes={"n": 7}).state == "ready"
    with pytest.raises(pullback.InvalidArgumentError, match="sizes"):
        f.compile(["grad"])


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (pullback.StableHLO("nonsense"), "MALFORMED_PROGRAM"),
        (pullback.StableHLO(UNKNOWN_CALL), "UNSUPPORTED_OPERATION"),
        (pullback.StableHLO(SIDE_EFFECT), "UNSUPPORTED_OPERATION"),
        (pullback.StableHLO(SINE_OF_SQUARES, names=["x"]), "MALFORMED_PROGRAM"),
        (pullback.Exported(b"nonsense" * 40), "MALFORMED_PROGRAM"),
    ],
    ids=["nonsense", "unknown call", "token", "names", "artifact"],
)
def test_refused_programs_leave_no_trace(client: pullback.Client, source: Any, reason: str) -> None:
    """What is refused at registration is not listed, and the server works on."""
    before = {function.name for function in client.functions()}
    with pytest.raises(pullback.InvalidArgumentError) as caught:
        client.register(source, name="refused")
    assert caught.value.reason == reason
    assert {function.name for function in client.functions()} == before
    good = client.register(pullback.Formula("sum(x)", x="f64[3]"), name="good")
    assert good(X) == 1.5


def test_files_on_the_command_line(client: pullback.Client, tmp_path: Path) -> None:
    """Files of other tools are told apart by what stands in them."""
    artifact = exported(lambda x: jnp.sum(jnp.exp(x)), f64(4))
    files = {"a.mlir": SINE_OF_SQUARES.encode(), "b": bytes(artifact.serialize())}
    files["c"] = bytes(artifact.mlir_module_serialized)
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        result = CliRunner().invoke(command, ["register", str(tmp_path / name), "--server", client.address])
        assert result.exit_code == 0, result.output
        assert " -> f64[]" in result.output


def test_symbols_in_types_on_the_command_line(client: pullback.Client, tmp_path: Path) -> None:
    """A function and a formula for every size, by types with symbols."""
    file = tmp_path / "model.py"
    file.write_text("def loss(x, w):\n    return ((x @ w) ** 2).sum()\n")
    arguments = ["--arg", "f64[n,3]", "--arg", "f64[3]", "--name", "open-loss"]
    commands = [
        ["register", f"{file}:loss", *arguments],
        ["register", "--formula", "sum(x**2)", "--arg", "x=f64[n]", "--name", "open-formula"],
    ]
    for arguments in commands:
        result = CliRunner().invoke(command, [*arguments, "--server", client.address])
        assert result.exit_code == 0, result.output
    loss, formula = client.function("open-loss"), client.function("open-formula")
    for size in (2, 5):
        x, w = np.ones((size, 3)), np.array([1.0, 2.0, 3.0])
        np.testing.assert_allclose(loss.grad(x, w, argnums=1), np.full(3, 12.0 * size))
        np.testing.assert_allclose(formula.grad(w[:2]), 2 * w[:2])
