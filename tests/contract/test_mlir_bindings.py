"""The MLIR bindings that the exporter and the lifter read and write modules with."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

_X = jax.ShapeDtypeStruct((3,), np.float32)


def test_lowering_for_an_absent_platform() -> None:
    """Lowering for a TPU needs none."""
    lowered = jax.jit(jnp.sin).trace(_X).lower(lowering_platforms=("tpu",))
    assert "stablehlo.sine" in str(lowered.compiler_ir("stablehlo"))


def test_platform_without_a_lowering() -> None:
    """Raises NotImplementedError."""
    matrix = jax.ShapeDtypeStruct((2, 2), np.float32)
    with pytest.raises(NotImplementedError):
        jax.jit(jnp.linalg.eigvals).trace(matrix).lower(lowering_platforms=("tpu",))


def test_serialization_and_its_versions() -> None:
    """Portable artifacts can be written for old readers, and the newest requirement is known by name."""
    from jax.extend import mlir
    from jax.extend.mlir import passmanager
    from jax.extend.mlir.dialects import stablehlo

    module = jax.jit(jnp.sin).trace(_X).lower(lowering_platforms=("tpu",)).compiler_ir("stablehlo")
    requirement = stablehlo.StablehloCompatibilityRequirement.WEEK_12
    version = stablehlo.get_version_from_compatibility_requirement(requirement)
    with module.context:
        passmanager.PassManager.parse("builtin.module(strip-debuginfo)").run(module.operation)
        for target in ("1.0.0", version):
            data = mlir.serialize_portable_artifact(module, target)
            assert data.startswith(b"ML\xefR\rStableHLO_v" + target.encode())


def test_version_that_lacks_an_operation() -> None:
    """Raises JaxRuntimeError, and prints nothing."""
    from jax.extend import mlir

    function = jax.jit(lambda x: lax.exp(x, accuracy=lax.AccuracyMode.HIGHEST))
    module = function.trace(_X).lower(lowering_platforms=("tpu",)).compiler_ir("stablehlo")
    with module.context, pytest.raises(jax.errors.JaxRuntimeError, match=r"1\.0\.0"):
        mlir.serialize_portable_artifact(module, "1.0.0")


def test_names_of_attributes_and_types() -> None:
    """Attributes are told apart by the names of their classes."""
    from jax.extend.mlir import ir

    with ir.Context(), ir.Location.unknown():
        integer = ir.IntegerType.get_signless(64)
        attributes = {
            "IntegerAttr": ir.IntegerAttr.get(integer, 3),
            "BoolAttr": ir.BoolAttr.get(True),
            "StringAttr": ir.StringAttr.get("text"),
            "ArrayAttr": ir.ArrayAttr.get([]),
            "DictAttr": ir.DictAttr.get({}),
            "UnitAttr": ir.UnitAttr.get(),
            "DenseI64ArrayAttr": ir.DenseI64ArrayAttr.get([1, 2]),
            "DenseBoolArrayAttr": ir.DenseBoolArrayAttr.get([True]),
            "FlatSymbolRefAttr": ir.FlatSymbolRefAttr.get("main"),
        }
        for name, attribute in attributes.items():
            assert type(ir.ArrayAttr.get([attribute])[0]).__name__ == name


def test_dialects_can_be_registered() -> None:
    """By the extension module of jaxlib."""
    from jaxlib.mlir._mlir_libs import _jax_mlir_ext

    assert callable(_jax_mlir_ext.register_dialects)
