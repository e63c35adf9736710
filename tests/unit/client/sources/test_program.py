"""What other tools made, as programs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from jax import export

import pullback
from pullback._registration import prepare
from pullback._sources.lowered import recognized
from pullback._sources.program import to_program
from pullback.program.container import JaxExport, StableHloModule

TEXT = "func.func @main(%x: tensor<2xf32>) -> tensor<2xf32> { return %x : tensor<2xf32> }"


def exported() -> export.Exported:
    """A function as jax.export has it."""

    def doubled(x: jax.Array) -> jax.Array:
        return 2 * x

    wanted: jax.ShapeDtypeStruct = jax.ShapeDtypeStruct((2,), np.dtype("float32"))
    return export.export(jax.jit(doubled))(wanted)


def test_stablehlo_comes_as_text_bytes_or_file(tmp_path: Path) -> None:
    """All three are the same program."""
    (tmp_path / "model.mlir").write_text(TEXT)
    for source in (TEXT, TEXT.encode(), tmp_path / "model.mlir"):
        program = pullback.StableHLO(source, names=["x"]).program
        assert program.body == StableHloModule(TEXT.encode(), ("x",))
    with pytest.raises(pullback.InvalidArgumentError, match="a list was given"):
        pullback.StableHLO([TEXT])  # type: ignore[arg-type]


def test_artifacts_come_as_objects_bytes_or_files(tmp_path: Path) -> None:
    """An object brings its VJP unless told; text is no artifact."""
    made = exported()
    data = bytes(made.serialize(vjp_order=1))
    (tmp_path / "artifact").write_bytes(data)
    for source in (data, bytearray(data), tmp_path / "artifact"):
        assert pullback.Exported(source).program.body == JaxExport(data)
    brought = pullback.Exported(made, names=["x"]).program.body
    assert isinstance(brought, JaxExport)
    assert brought.names == ("x",)
    assert len(brought.artifact) > len(made.serialize()) + 1000
    assert pullback.Exported(made, vjp_order=0).program.body == JaxExport(bytes(made.serialize()))
    with pytest.raises(pullback.InvalidArgumentError, match="a str was given"):
        pullback.Exported("artifact")


def test_bytes_are_told_apart() -> None:
    """By what stands in them."""
    made = exported()
    assert isinstance(recognized(TEXT.encode()), pullback.StableHLO)
    assert isinstance(recognized(made.mlir_module_serialized), pullback.StableHLO)
    assert isinstance(recognized(bytes(made.serialize())), pullback.Exported)
    for data in (b"", b"\x80\x04K\x01.", b"def f(x): return x"):
        with pytest.raises(pullback.InvalidArgumentError, match="neither StableHLO nor an artifact"):
            recognized(data)


def test_what_is_registered_needs_no_examples() -> None:
    """An exported object has its function's name; examples are only for Python functions."""
    made = exported()
    registration = prepare(made, (), name=None, labels={}, description="")  # type: ignore[arg-type]
    assert registration.request.name == "functions/doubled"
    for source in (pullback.StableHLO(TEXT), made, TEXT.encode()):
        with pytest.raises(pullback.InvalidArgumentError, match="only for Python functions"):
            to_program(source, [1.0])  # type: ignore[arg-type]


def test_clients_without_jax_register_them() -> None:
    """Neither class brings JAX in."""
    code = f"import pullback, sys; pullback.StableHLO({TEXT!r}); pullback.Exported(b'')"
    command = [sys.executable, "-c", f"{code}; assert 'jax' not in sys.modules"]
    assert subprocess.run(command, check=False).returncode == 0
