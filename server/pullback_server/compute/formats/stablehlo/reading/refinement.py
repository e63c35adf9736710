"""Shapes that a module leaves open inside, although its arguments decide them all."""

from __future__ import annotations

from io import BytesIO
from typing import Any, Final

from jax.errors import JaxRuntimeError
from jax.extend import mlir
from jax.extend.mlir import ir

from pullback_server.compute.formats.stablehlo.failures import unsupported

_MAIN: Final = "main"
_DYNAMIC: Final = frozenset(
    {
        *(f"stablehlo.dynamic_{name}" for name in ("broadcast_in_dim", "conv", "gather", "iota", "pad")),
        "stablehlo.dynamic_reshape",
        "stablehlo.real_dynamic_slice",
    }
)


def refined(module: Any) -> Any:
    """A module of static shapes, from one whose main function has arguments of static shapes.

    Functions that are called are written out in their callers where this is needed.

    Args:
        module: The module; it is given back as it is where nothing is open, or where arguments are.

    Raises:
        ServiceError: UNSUPPORTED_OPERATION if a shape depends on the values of arguments.
    """
    if not _is_open(module) or _has_open_arguments(module):
        return module
    data = BytesIO()
    module.operation.write_bytecode(data)
    try:
        refined = mlir.refine_polymorphic_shapes(
            data.getvalue(), enable_shape_assertions=True, validate_static_shapes=True
        )
    except (JaxRuntimeError, ValueError, RuntimeError) as error:
        raise unsupported(
            "the module",
            f"has shapes that its arguments' shapes do not decide: {error}",
            "make sizes constants, or results of the arguments' sizes",
        ) from error
    return ir.Module.parse(refined, module.context)


def _is_open(module: Any) -> bool:
    found = False

    def visit(operation: Any) -> Any:
        nonlocal found
        found = operation.name in _DYNAMIC or not all(_is_static(value.type) for value in operation.results)
        return ir.WalkResult.INTERRUPT if found else ir.WalkResult.ADVANCE

    module.operation.walk(visit, ir.WalkOrder.PRE_ORDER)
    return found


def _has_open_arguments(module: Any) -> bool:
    for function in module.body.operations:
        if function.operation.name == "func.func" and function.name.value == _MAIN:
            return not all(_is_static(kind) for kind in function.type.inputs)
    return False


def _is_static(kind: Any) -> bool:
    return not isinstance(kind, ir.RankedTensorType) or bool(kind.has_static_shape)
