"""A traced function as a StableHLO portable artifact.

The only module of the client that touches MLIR.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import jax
from jax.extend import mlir
from jax.extend.mlir import ir, passmanager
from jax.extend.mlir.dialects import stablehlo

from pullback.export.errors import UnsupportedOperationError

# Lowering for a TPU makes the fewest calls into a platform's own libraries, and needs no TPU; a few
# decompositions of linear algebra exist for CPUs only.
PLATFORMS: Final = ("tpu", "cpu")
# StableHLO promises five years of reading for what is written as 1.0.0.
OLDEST_TARGET: Final = "1.0.0"


def artifact_of(function: Callable[..., Sequence[Any]], types: Sequence[jax.ShapeDtypeStruct]) -> bytes:
    """Lowers a function of arrays and serializes it.

    Locations in the source are left out, so that equal functions give equal bytes.

    Args:
        function: Takes one array per type and gives a sequence of arrays.
        types: The types of its arguments.

    Raises:
        UnsupportedOperationError: If a primitive has no lowering.
    """
    module = _lower(function, types)
    with module.context:
        passmanager.PassManager.parse("builtin.module(strip-debuginfo)").run(module.operation)
        return _serialize(module)


def _lower(function: Callable[..., Sequence[Any]], types: Sequence[jax.ShapeDtypeStruct]) -> ir.Module:
    def main(*arguments: Any) -> Sequence[Any]:
        return function(*arguments)

    traced = jax.jit(main, keep_unused=True).trace(*types)
    refusals = []
    for platform in PLATFORMS:
        try:
            module: ir.Module = traced.lower(lowering_platforms=(platform,)).compiler_ir("stablehlo")
        except NotImplementedError as error:
            refusals.append(str(error))
        else:
            return module
    raise UnsupportedOperationError(
        f"an operation has no StableHLO form: {refusals[-1]}; express the function without it"
    )


def _serialize(module: ir.Module) -> bytes:
    try:
        return bytes(mlir.serialize_portable_artifact(module, OLDEST_TARGET))
    except jax.errors.JaxRuntimeError:
        # It uses what is younger than 1.0.0.
        recent = stablehlo.StablehloCompatibilityRequirement.WEEK_12
        target = stablehlo.get_version_from_compatibility_requirement(recent)
        return bytes(mlir.serialize_portable_artifact(module, target))
