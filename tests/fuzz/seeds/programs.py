"""Sound programs of every format, from which mutated ones are made."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Final

import onnx
from conformance.catalogue import CASES

from pullback.program.container import StableHlo
from pullback.program.wire import program_from_bytes

_GOLDEN: Final = Path(__file__).parents[2] / "golden"
_LARGEST_MODEL: Final = 4096


@cache
def containers() -> tuple[bytes, ...]:
    """Serialized programs with StableHLO modules, their rules and their loops."""
    return tuple(file.read_bytes() for file in sorted(_GOLDEN.glob("jax-*/*.binpb")))


@cache
def artifacts() -> tuple[bytes, ...]:
    """Portable artifacts: MLIR's bytecode."""
    bodies = [program_from_bytes(data).body for data in containers()]
    return tuple(
        module for body in bodies if isinstance(body, StableHlo) for module in (body.entry, *body.modules)
    )


@cache
def texts() -> tuple[str, ...]:
    """StableHLO as text: a module for each operation, and some with loops."""
    return (*(case.text for case in CASES), *_LOOPS)


@cache
def exports() -> tuple[bytes, ...]:
    """What `jax.export` serializes, with VJPs and without."""
    import jax  # noqa: PLC0415 -- a second, for those who fuzz these
    import jax.numpy as jnp  # noqa: PLC0415
    from jax import export  # noqa: PLC0415

    functions: list[tuple[Any, Any]] = [
        (lambda x: jnp.sum(jnp.sin(x) ** 2), (3,)),
        (lambda x: jnp.linalg.solve(x + 2 * jnp.eye(3), x[0]), (3, 3)),
        (lambda x: jax.lax.fori_loop(0, 4, lambda _, y: jnp.cos(y) * x, x), (2,)),
        (lambda x: {"a": jnp.cumsum(x), "b": jnp.sort(x)}, (4,)),
        (lambda x: jax.nn.softmax(x @ x.T), (2, 5)),
    ]
    with jax.enable_x64(True):
        made = [
            export.export(jax.jit(function))(jax.ShapeDtypeStruct(shape, "float64"))
            for function, shape in functions
        ]
        return tuple(bytes(each.serialize(vjp_order=order)) for each in made for order in (0, 1))


@cache
def models() -> tuple[bytes, ...]:
    """Small ONNX models: those that the package of ONNX itself is tested with."""
    files = sorted(Path(onnx.__file__).parent.glob("backend/test/data/*/*/model.onnx"))
    return tuple(file.read_bytes() for file in files if file.stat().st_size < _LARGEST_MODEL)


_LOOPS: Final = (
    """func.func @main(%a: tensor<3xf64>, %n: tensor<i32>) -> tensor<3xf64> {
%zero = stablehlo.constant dense<0> : tensor<i32>
%one = stablehlo.constant dense<1> : tensor<i32>
%r:2 = stablehlo.while(%i = %zero, %x = %a) : tensor<i32>, tensor<3xf64>
cond {
%go = stablehlo.compare LT, %i, %n : (tensor<i32>, tensor<i32>) -> tensor<i1>
stablehlo.return %go : tensor<i1>
} do {
%next = stablehlo.add %i, %one : tensor<i32>
%y = stablehlo.sine %x : tensor<3xf64>
stablehlo.return %next, %y : tensor<i32>, tensor<3xf64>
}
return %r#1 : tensor<3xf64>
}""",
    """func.func @main(%a: tensor<4xf64>) -> tensor<f64> {
%big = stablehlo.constant dense<1.0> : tensor<64x64xf64>
%zero = stablehlo.constant dense<0.0> : tensor<f64>
%wide = stablehlo.broadcast_in_dim %a, dims = [1] : (tensor<4xf64>) -> tensor<1000x4xf64>
%sum = stablehlo.reduce(%wide init: %zero) applies stablehlo.add across dimensions = [0, 1]
     : (tensor<1000x4xf64>, tensor<f64>) -> tensor<f64>
return %sum : tensor<f64>
}""",
    """func.func private @f(%a: tensor<2xf64>) -> tensor<2xf64> {
%r = stablehlo.exponential %a : tensor<2xf64>
return %r : tensor<2xf64>
}
func.func @main(%a: tensor<2xf64>) -> tensor<2xf64> {
%s = func.call @f(%a) : (tensor<2xf64>) -> tensor<2xf64>
%t = stablehlo.composite "pullback.unknown" %s {decomposition = @f} : (tensor<2xf64>) -> tensor<2xf64>
return %t : tensor<2xf64>
}""",
)
