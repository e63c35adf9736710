"""The container of jax.export's artifacts, which is read by its schema rather than by JAX."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from jax import export
from jax._src.export import serialization_generated as schema

ACCESSORS = """
FunctionName InTree OutTree InAvals InAvalsLength InAvalsIdxs InAvalsIdxsLength OutAvals OutAvalsLength
OutAvalsIdxs OutAvalsIdxsLength UniqueAvals NrDevices NrDevicesShort Platforms PlatformsLength OrderedEffects
OrderedEffectsLength MlirModuleSerializedAsNumpy CallingConventionVersion ModuleKeptVarIdx
ModuleKeptVarIdxLength Vjp
"""


def test_everything_that_is_read_is_there() -> None:
    """The accessors of the schema, and its enumerations."""
    for name in ACCESSORS.split():
        assert callable(getattr(schema.Exported, name))
    for name in ("Kind", "Children", "ChildrenLength", "ChildrenNames", "CustomName", "CustomAuxdataAsNumpy"):
        assert callable(getattr(schema.PyTreeDef, name))
    for name in ("Shape", "ShapeLength", "Dtype"):
        assert callable(getattr(schema.AbstractValue, name))
    kinds = schema.PyTreeDefKind
    numbers = [kinds.leaf, kinds.none, kinds.tuple, kinds.list, kinds.dict, kinds.custom]
    assert numbers == list(range(6))


def test_types_have_the_names_of_stablehlo() -> None:
    """Element types differ from StableHLO's names by underscores only, keys and booleans aside."""
    names = {name for name in vars(schema.DType) if not name.startswith("_")}
    assert {"bool", "f0", "key_fry", "i32", "ui8", "bf16", "c64", "c128", "f64", "f8_e4m3fn"} <= names


def test_what_an_artifact_says() -> None:
    """A VJP takes the inputs and a cotangent of each output, and gives one of each input."""

    def function(x: Any, count: Any) -> Any:
        return {"value": x * count, "count": count}

    wanted = (jax.ShapeDtypeStruct((3,), np.dtype("float32")), jax.ShapeDtypeStruct((), np.dtype("int32")))
    exported = export.export(jax.jit(function))(*wanted)
    message: Any = schema.Exported.GetRootAsExported(exported.serialize(vjp_order=1))  # type: ignore[no-untyped-call]
    vjp = message.Vjp()
    assert vjp.Vjp() is None
    assert (message.InAvalsIdxsLength() or message.InAvalsLength()) == 2
    assert (vjp.InAvalsIdxsLength() or vjp.InAvalsLength()) == 4
    assert (vjp.OutAvalsIdxsLength() or vjp.OutAvalsLength()) == 2
    assert message.InTree().Kind() == schema.PyTreeDefKind.tuple
    assert bytes(message.MlirModuleSerializedAsNumpy()[:4]) == b"ML\xefR"


def test_symbols_are_spelled_as_signatures_read_them() -> None:
    """JAX prints sizes with the operators and functions that expressions have."""
    n, m = export.symbolic_shape("n, m")
    sizes = (2 * n + 1, n * m, n // 2, n % 3, n**2)
    spelled = [str(size).replace(" ", "") for size in sizes]
    assert spelled == ["2*n+1", "m*n", "floordiv(n,2)", "mod(n,3)", "n^2"]
