"""Modules that are nested too deep are refused before MLIR's recursion ends the process."""

from __future__ import annotations

import io
import time
from typing import Any

import pytest
from jax.extend.mlir import ir
from jax.extend.mlir.dialects import stablehlo

from pullback_server.compute.formats.bounds import BOUNDS
from pullback_server.compute.formats.stablehlo.reading import module as reading
from pullback_server.compute.formats.stablehlo.reading.module import Module, parse_module
from pullback_server.compute.formats.stablehlo.reading.nesting import require_shallow_text
from pullback_server.errors import Reason, ServiceError


def nested(depth: int) -> bytes:
    """A function of cases in cases."""
    head = "func.func @main(%i: tensor<i32>, %x: tensor<f32>) -> tensor<f32> {\n"
    opened = "".join(f'%r{k} = "stablehlo.case"(%i) ({{\n' for k in range(depth))
    ends = [f"%r{k}" for k in reversed(range(1, depth))]
    closed = "".join(
        f"stablehlo.return {name} : tensor<f32>\n}}) : (tensor<i32>) -> tensor<f32>\n"
        for name in ["%x", *ends]
    )
    return f"{head}{opened}{closed}return %r0 : tensor<f32>\n}}".encode()


def parsed(text: bytes) -> Any:
    """A module as MLIR has it, without what is tested here."""
    with reading._context():
        return ir.Module.parse(text)


def refusal(data: bytes) -> ServiceError:
    """The error with which a module is refused."""
    with pytest.raises(ServiceError) as caught:
        Module(data).function("main")
    return caught.value


@pytest.mark.parametrize("depth", [5_000, 100_000])
@pytest.mark.parametrize(
    ("before", "opening", "closing", "after"),
    [
        ("", "module {", "}", ""),
        ("func.func @main(%x: ", "tuple<", ">", ") { return }"),
        ("module attributes {a = ", "[", "]", "} {}"),
        ("module attributes {a = ", "{a = ", "}", "} {}"),
        ("module attributes {a = ", "() -> (", ")", "} {}"),
        ("module attributes {a = dense<", "[", "]", "> : tensor<1xi32>} {}"),
        ("func.func @main() { return loc(", 'callsite("(" at ', ")", ") }"),
        ('// >>>>\nmodule attributes {">" = ', "[", "]", "} {}"),
    ],
)
def test_texts(before: str, opening: str, closing: str, after: str, depth: int) -> None:
    """Whatever is nested, brackets in strings, comments and arrows aside."""
    began = time.monotonic()
    error = refusal((before + opening * depth + closing * depth + after).encode())
    assert time.monotonic() - began < 5
    assert error.reason is Reason.NESTING_TOO_DEEP
    assert error.metadata["limit"] == str(BOUNDS.nesting)
    assert int(error.metadata["value"]) > BOUNDS.nesting


def test_regions_in_bytecode() -> None:
    """Bytecode and portable artifacts have no brackets: their regions are counted when they are read."""
    module = parsed(nested(600))
    data = io.BytesIO()
    module.operation.write_bytecode(data)
    portable = stablehlo.serialize_portable_artifact(module, stablehlo.get_current_version())
    for each in (data.getvalue(), portable):
        error = refusal(each)
        assert (error.reason, error.metadata["setting"]) == (Reason.NESTING_TOO_DEEP, "max_nesting")


def test_what_is_within_the_limit() -> None:
    """As deep as allowed, in every form; and a long text of brackets that are not in each other."""
    text = nested(BOUNDS.nesting - 2)
    portable = stablehlo.serialize_portable_artifact(parsed(text), stablehlo.get_current_version())
    for each in (text, portable):
        assert Module(each).function("main").operations[0].name == "stablehlo.case"
    require_shallow_text(b"(){}[]<>" * 500_000 + b'"' + b"(" * 1_000_000 + b'"' + b"->" * 9 + b"(((" * 9)
    assert len(list(parse_module(b"module { module {} }").body.operations)) == 1


def test_operations_are_counted_when_they_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of functions that nobody calls count as well."""
    monkeypatch.setattr(BOUNDS, "operations", 20)
    assert Module(nested(6)).function("main").operations
    error = refusal(nested(10))
    assert (error.reason, error.metadata["limit"]) == (Reason.TOO_MANY_OPERATIONS, "20")
