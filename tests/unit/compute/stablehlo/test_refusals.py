"""Programs that are refused when they are registered, each with its reason and a sentence."""

# ruff: noqa: E501 -- the lines of MLIR are as long as they are

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from pullback.export import export
from pullback.program.container import StableHlo
from pullback_server.compute.formats.bounds import BOUNDS
from pullback_server.compute.formats.stablehlo.coverage import REFUSED
from pullback_server.errors import Reason, ServiceError

_T = "tensor<3xf64>"
_TYPES = (["f64[3]"], ["f64[3]"])


def _main(line: str, rest: str = "") -> str:
    return f"func.func @main(%x: {_T}) -> {_T} {{ {line}\n return %r : {_T} }}\n{rest}"


def _composite(name: str, attributes: str, version: int = 1) -> str:
    return _main(
        f'%r = stablehlo.composite "{name}" %x {{composite_attributes = {{{attributes}}}, '
        f"decomposition = @inner, version = {version} : i32}} : ({_T}) -> {_T}",
        f"func.func private @inner(%x: {_T}) -> {_T} {{ return %x : {_T} }}",
    )


def _refusal(lift_text: Any, text: str, modules: Any = (), types: Any = _TYPES) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        lift_text(text, *types, modules)
    return caught.value


_IDENTITY = _main(f"%r = stablehlo.negate %x : {_T}")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('%r = "stablehlo.all_reduce"(%x) ({^bb0(%a: tensor<f64>, %b: tensor<f64>):\n stablehlo.return %a : tensor<f64>}) {replica_groups = dense<0> : tensor<1x1xi64>} : (TENSOR) -> TENSOR', "stablehlo.all_reduce in @main talks to other devices"),
        ("%r = stablehlo.custom_call @launch(%x) : (TENSOR) -> TENSOR", "@launch calls code that is not part of the program"),
        ("%q = stablehlo.convert %x : (TENSOR) -> tensor<3x!quant.uniform<i8:f32, 1.0>>\n %r = stablehlo.negate %x : TENSOR", "quantized types are not served"),
        ("%r = mhlo.negate %x : TENSOR", "mhlo.negate is of the dialect mhlo, not of StableHLO"),
        ('%r = "foo.bar"(%x) : (TENSOR) -> TENSOR', "not of StableHLO: "),
        ('%t = stablehlo.create_token : !stablehlo.token\n %q = "stablehlo.outfeed"(%x, %t) {outfeed_config = ""} : (TENSOR, !stablehlo.token) -> !stablehlo.token\n %r = stablehlo.negate %x : TENSOR', "stablehlo.outfeed in @main exchanges data"),
        ("%q = stablehlo.custom_call @f(%x) : (TENSOR) -> tensor<?xf64>\n %r = stablehlo.convert %q : (tensor<?xf64>) -> TENSOR", "decide|dynamic"),
    ],
)  # fmt: skip
def test_what_is_not_served_is_named(lift_text: Any, line: str, words: str) -> None:
    """An operation or a type that is not served is named, with what to do."""
    error = _refusal(lift_text, _main(line.replace("TENSOR", _T)))
    assert error.reason in (Reason.UNSUPPORTED_OPERATION, Reason.MALFORMED_PROGRAM)
    assert any(word in error.message for word in words.split("|")), error.message


_GROUPS = "replica_groups = dense<0> : tensor<1x1xi64>"
_REGION = "({^bb0(%a: tensor<f64>, %b: tensor<f64>):\n stablehlo.return %a : tensor<f64>})"
_ORDER = "!stablehlo.token"
_CHANNEL = "channel_handle = #stablehlo.channel_handle<handle = 1, type = 2>, is_host_transfer = true"
_REFUSED = [
    ("all_gather", f"(%x) {{all_gather_dim = 0 : i64, {_GROUPS}}} : (TENSOR) -> TENSOR"),
    ("all_reduce", f"(%x) {_REGION} {{{_GROUPS}}} : (TENSOR) -> TENSOR"),
    ("all_to_all", f"(%x) {{split_dimension = 0 : i64, concat_dimension = 0 : i64, split_count = 1 : i64, {_GROUPS}}} : (TENSOR) -> TENSOR"),
    ("collective_broadcast", f"(%x) {{{_GROUPS}}} : (TENSOR) -> TENSOR"),
    ("collective_permute", "(%x) {source_target_pairs = dense<0> : tensor<1x2xi64>} : (TENSOR) -> TENSOR"),
    ("cross-replica-sum", f"(%x) {{{_GROUPS}}} : (TENSOR) -> TENSOR"),
    ("reduce_scatter", f"(%x) {_REGION} {{scatter_dimension = 0 : i64, {_GROUPS}}} : (TENSOR) -> TENSOR"),
    ("partition_id", "() : () -> tensor<ui32>"),
    ("replica_id", "() : () -> tensor<ui32>"),
    ("infeed", f'(%t) {{infeed_config = ""}} : ({_ORDER}) -> (TENSOR, {_ORDER})'),
    ("outfeed", f'(%x, %t) {{outfeed_config = ""}} : (TENSOR, {_ORDER}) -> {_ORDER}'),
    ("send", f"(%x, %t) {{{_CHANNEL}}} : (TENSOR, {_ORDER}) -> {_ORDER}"),
    ("recv", f"(%t) {{{_CHANNEL.replace('= 2', '= 3')}}} : ({_ORDER}) -> (TENSOR, {_ORDER})"),
    ("rng", "(%p, %p, %n) {rng_distribution = #stablehlo<rng_distribution UNIFORM>} : (tensor<f64>, tensor<f64>, tensor<1xi64>) -> TENSOR"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "rest"), _REFUSED, ids=[name for name, _ in _REFUSED])
def test_refused_operations(lift_text: Any, name: str, rest: str) -> None:
    """What the list of coverage refuses is refused with the reason and the advice that stand there."""
    results = "%q:2" if rest.endswith(f"(TENSOR, {_ORDER})") else "%q"
    text = _main(f"""%t = stablehlo.create_token : {_ORDER}
      %p = stablehlo.constant dense<1.0> : tensor<f64>
      %n = stablehlo.constant dense<[3]> : tensor<1xi64>
      {results} = "stablehlo.{name}"{rest.replace("TENSOR", _T)}
      %r = stablehlo.negate %x : {_T}""")
    error = _refusal(lift_text, text)
    refusal = REFUSED[f"stablehlo.{name}"]
    assert error.reason is Reason.UNSUPPORTED_OPERATION
    assert error.metadata["operation"] == f"stablehlo.{name}"
    assert refusal.reason in error.message
    assert refusal.advice in error.message


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("%y = stablehlo.slice %x [0:1] : (TENSOR) -> tensor<1xf64>\n %k = stablehlo.convert %y : (tensor<1xf64>) -> tensor<1xi64>\n %d = stablehlo.dynamic_iota %k, dim = 0 : (tensor<1xi64>) -> tensor<?xf64>\n %r = stablehlo.convert %d : (tensor<?xf64>) -> TENSOR", "has shapes that its arguments"),
        ("%y = stablehlo.slice %x [0:1] : (TENSOR) -> tensor<1xf64>\n %k = stablehlo.convert %y : (tensor<1xf64>) -> tensor<1xi64>\n %d = stablehlo.dynamic_pad %x, %p, %k, %k, %k : (TENSOR, tensor<f64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> TENSOR\n %r = stablehlo.negate %d : TENSOR", "stablehlo.dynamic_pad"),
        ("%k = stablehlo.constant dense<2> : tensor<i32>\n %r = stablehlo.set_dimension_size %x, %k, dim = 0 : (TENSOR, tensor<i32>) -> TENSOR", "stablehlo.set_dimension_size gives axis 0, of size 3, another size"),
    ],
)  # fmt: skip
def test_shapes_that_depend_on_values(lift_text: Any, lines: str, words: str) -> None:
    """Sizes are known when the program is registered, or it is refused then."""
    text = _main(f"""%p = stablehlo.constant dense<1.0> : tensor<f64>
      %n = stablehlo.constant dense<[3]> : tensor<1xi64>
      {lines.replace("TENSOR", _T)}""")
    error = _refusal(lift_text, text)
    assert error.reason is Reason.UNSUPPORTED_OPERATION
    assert words in error.message


def test_unserved_operation_inside_a_region_is_found(lift_text: Any) -> None:
    """Regions are checked although nothing runs."""
    text = _main(
        f"""%p = stablehlo.constant dense<true> : tensor<i1>
      %r = "stablehlo.if"(%p) ({{
        stablehlo.return %x : {_T}
      }}, {{
        %y = stablehlo.custom_call @launch(%x) : ({_T}) -> {_T}
        stablehlo.return %y : {_T}
      }}) : (tensor<i1>) -> {_T}"""
    )
    error = _refusal(lift_text, text)
    assert error.reason is Reason.UNSUPPORTED_OPERATION
    assert error.metadata["operation"] == "stablehlo.custom_call @launch"


def test_unserved_operation_in_a_rule_is_found(lift_text: Any) -> None:
    """Derivative rules are checked although the value does not need them."""
    rule = f"""func.func @main(%x: {_T}, %t: {_T}) -> ({_T}, {_T}) {{
      %y = stablehlo.custom_call @launch(%t) : ({_T}) -> {_T}
      return %x, %y : {_T}, {_T}
    }}"""
    text = _composite("pullback.custom_jvp", "constants = 0 : i64, rule = 0 : i64")
    error = _refusal(lift_text, text, [rule])
    assert error.reason is Reason.UNSUPPORTED_OPERATION


@pytest.mark.parametrize("data", [b"", b"ML\xefR", b"nonsense", b"ML\xefR\rStableHLO_v1.0.0\x00" + bytes(40)])
def test_bytes_that_are_no_module(lift_text: Any, data: bytes) -> None:
    """What MLIR cannot read is malformed."""
    assert _refusal(lift_text, data.decode("latin1")).reason is Reason.MALFORMED_PROGRAM


def test_truncated_artifact() -> None:
    """An upload that was cut short is malformed."""
    from pullback_server.compute.formats.stablehlo.lift import lift  # noqa: PLC0415

    program = export(jnp.sin, np.zeros(3))
    assert isinstance(program.body, StableHlo)
    with pytest.raises(ServiceError) as caught:
        lift(StableHlo(program.body.entry[:100]), program.signature)
    assert caught.value.reason is Reason.MALFORMED_PROGRAM


def test_module_without_main(lift_text: Any) -> None:
    """The function is the one called main."""
    error = _refusal(lift_text, _IDENTITY.replace("@main", "@other"))
    assert "@main is called, and the module has no such function" in error.message


@pytest.mark.parametrize("types", [(["f32[3]"], ["f64[3]"]), (["f64[3]"], ["f64[4]"]), (["f64[3]"], [])])
def test_signature_that_does_not_fit(lift_text: Any, types: Any) -> None:
    """The signature and the module say the same types."""
    error = _refusal(lift_text, _IDENTITY, types=types)
    assert error.reason is Reason.MALFORMED_PROGRAM
    assert "f64[3]" in error.message
    assert "the signature says" in error.message


def test_function_that_calls_itself(lift_text: Any) -> None:
    """Recursion has no end in StableHLO."""
    text = _main(
        f"%r = func.call @a(%x) : ({_T}) -> {_T}",
        f"""func.func private @a(%x: {_T}) -> {_T} {{ %r = func.call @b(%x) : ({_T}) -> {_T}
          return %r : {_T} }}
        func.func private @b(%x: {_T}) -> {_T} {{ %r = func.call @a(%x) : ({_T}) -> {_T}
          return %r : {_T} }}""",
    )
    assert "@a calls itself" in _refusal(lift_text, text).message


def test_loop_body_that_runs_its_own_loop(lift_text: Any) -> None:
    """Modules may refer to themselves through derivative rules only."""
    attributes = "body = 0 : i64, constants = 0 : i64, carries = 1 : i64, length = 1 : i64, reverse = false, unroll = 1 : i64"
    loop = _composite("pullback.scan", attributes)
    assert "calls itself" in _refusal(lift_text, loop, [loop]).message


def test_calls_that_multiply(lift_text: Any) -> None:
    """A small program of functions that call each other twice is as large as what it compiles to."""
    functions = "\n".join(
        f"""func.func private @f{n}(%x: {_T}) -> {_T} {{
          %a = func.call @f{n + 1}(%x) : ({_T}) -> {_T}
          %r = func.call @f{n + 1}(%a) : ({_T}) -> {_T}
          return %r : {_T} }}"""
        for n in range(30)
    )
    last = f"func.func private @f30(%x: {_T}) -> {_T} {{ return %x : {_T} }}"
    error = _refusal(lift_text, _main(f"%r = func.call @f0(%x) : ({_T}) -> {_T}", functions + last))
    assert error.reason is Reason.TOO_MANY_OPERATIONS


def test_values_of_impossible_sizes(lift_text: Any) -> None:
    """What no device can hold is refused when it is read, before XLA counts its bytes."""
    huge = "tensor<4611686018427387904xf64>"
    body = f"%i = stablehlo.iota dim = 0 : {huge}\n %r = stablehlo.negate %x : {_T}"
    assert _refusal(lift_text, _main(body)).reason is Reason.DEVICE_MEMORY_EXCEEDED


def test_calls_that_nest_too_deep(lift_text: Any) -> None:
    """A chain of calls is followed to a bounded depth."""
    functions = "\n".join(
        f"func.func private @f{n}(%x: {_T}) -> {_T} {{ %r = func.call @f{n + 1}(%x) : ({_T}) -> {_T}\n return %r : {_T} }}"
        for n in range(BOUNDS.nesting)
    )
    last = f"func.func private @f{BOUNDS.nesting}(%x: {_T}) -> {_T} {{ return %x : {_T} }}"
    error = _refusal(lift_text, _main(f"%r = func.call @f0(%x) : ({_T}) -> {_T}", functions + last))
    assert error.reason is Reason.NESTING_TOO_DEEP


def test_calls_that_nest_as_deep_as_allowed(lift_text: Any) -> None:
    """What is within the limit can be read, traced and run."""
    depth = BOUNDS.nesting - 2
    functions = "\n".join(
        f"func.func private @f{n}(%x: {_T}) -> {_T} {{ %r = func.call @f{n + 1}(%x) : ({_T}) -> {_T}\n return %r : {_T} }}"
        for n in range(depth)
    )
    last = f"func.func private @f{depth}(%x: {_T}) -> {_T} {{ %r = stablehlo.negate %x : {_T}\n return %r : {_T} }}"
    function = lift_text(_main(f"%r = func.call @f0(%x) : ({_T}) -> {_T}", functions + last), *_TYPES)
    np.testing.assert_array_equal(function(np.arange(3.0))[0], -np.arange(3.0))


_SCAN = "body = 0 : i64, constants = 0 : i64, carries = 1 : i64, length = 3 : i64, reverse = false, unroll = 1 : i64"


@pytest.mark.parametrize(
    ("name", "attributes", "words"),
    [
        ("cumsum", "reverse = false", "lacks its parameter 'axis'"),
        ("cumsum", "axis = 0 : i64, reverse = false, extra = 1 : i64", "unknown parameter 'extra'"),
        ("cumsum", "axis = 3 : i64, reverse = false", "axes [3]"),
        ("cumsum", "axis = -1 : i64, reverse = false", "axes [-1]"),
        ("cumsum", 'axis = "0", reverse = false', "integer belongs"),
        ("cumsum", "axis = true, reverse = false", "integer belongs"),
        ("cumsum", "axis = 0 : i64, reverse = 1 : i64", "flag belongs"),
        ("integer_pow", "y = 2.0 : f64", "integer belongs"),
        ("argmax", 'axes = [0 : i64], index_dtype = "object"', "element belongs"),
        ("argmax", 'axes = [0 : i64, 0 : i64], index_dtype = "i32"', "axes"),
        ("argmax", 'axes = [], index_dtype = "i32"', "axes"),
        ("tile", "reps = [0 : i64, 99999999999 : i64]", "cannot be evaluated"),
        ("split", "sizes = [1 : i64, 1 : i64], axis = 0 : i64", "cannot be evaluated"),
        ("sort", "dimension = 0 : i64, is_stable = true, num_keys = 7 : i64", "cannot be evaluated"),
        ("cholesky", "", "cannot be evaluated"),
        ("scan", _SCAN, "module 0 is referred to, and there are 0 modules"),
        ("scan", _SCAN.replace("constants = 0", "constants = -1"), "between 0 and 1"),
        ("scan", _SCAN.replace("carries = 1", "carries = 2"), "between 0 and 1"),
        ("custom_jvp", "constants = 2 : i64, rule = 0 : i64", "between 0 and 1"),
        ("custom_jvp", "constants = 0 : i64, rule = -1 : i64", "module -1"),
        ("custom_linear_solve", "constants = [0 : i64], matvec = 0 : i64, solve = 0 : i64, symmetric = true", "four counts"),
        ("checkpoint", 'prevent_cse = true, policy = "os.system"', "unknown policy"),
    ],
)  # fmt: skip
def test_hostile_parameters(lift_text: Any, name: str, attributes: str, words: str) -> None:
    """Parameters are checked before they reach JAX, or JAX's own refusal is passed on."""
    error = _refusal(lift_text, _composite(f"pullback.{name}", attributes))
    assert error.reason is Reason.MALFORMED_PROGRAM
    assert words in error.message, error.message


@pytest.mark.parametrize(("name", "version"), [("pullback.cumsum", 2), ("pullback.unheard_of", 1)])
def test_composites_of_the_future(lift_text: Any, name: str, version: int) -> None:
    """A composite that is not known is refused: its decomposition might have lost a derivative."""
    error = _refusal(lift_text, _composite(name, "axis = 0 : i64, reverse = false", version))
    assert error.reason is Reason.UNSUPPORTED_OPERATION
    assert "upgrade the server" in error.message


def test_composites_of_others_are_taken_apart(lift_text: Any) -> None:
    """A composite of another namespace stands for its decomposition."""
    function = lift_text(_composite("acme.identity", ""), *_TYPES)
    np.testing.assert_array_equal(function(np.arange(3.0))[0], np.arange(3.0))


@pytest.mark.parametrize(
    "rule",
    [
        f"func.func @main(%x: {_T}) -> ({_T}, {_T}) {{ return %x, %x : {_T}, {_T} }}",
        f"func.func @main(%x: {_T}, %t: tensor<3xf32>) -> ({_T}, tensor<3xf32>) {{ return %x, %t : {_T}, tensor<3xf32> }}",
    ],
)
def test_rule_of_another_type(lift_text: Any, rule: str) -> None:
    """A rule takes and gives what its function's types demand."""
    text = _composite("pullback.custom_jvp", "constants = 0 : i64, rule = 0 : i64")
    assert "refers to @main of module 0" in _refusal(lift_text, text, [rule]).message


def test_operation_whose_meaning_differs(lift_text: Any) -> None:
    """A result of another type than the program says is never let through."""
    text = _main(
        f'%r = stablehlo.composite "pullback.stop_gradient" %y {{decomposition = @inner, version = 1 : i32}} : (tensor<3xf32>) -> {_T}'
    ).replace("{ %r", "{ %y = stablehlo.convert %x : (tensor<3xf64>) -> tensor<3xf32>\n %r")
    text += f"func.func private @inner(%x: tensor<3xf32>) -> {_T} {{ %r = stablehlo.convert %x : (tensor<3xf32>) -> {_T}\n return %r : {_T} }}"
    error = _refusal(lift_text, text)
    assert error.reason is Reason.UNSUPPORTED_OPERATION
    assert "gives float32[3] here, not f64[3]" in error.message


def test_large_constants_stay_small_until_they_run(lift_text: Any) -> None:
    """A constant of equal elements is no larger than one of them."""
    shape = "1000000x1000000xf64"
    text = f"""func.func @main() -> tensor<f64> {{
      %c = stablehlo.constant dense<1.0> : tensor<{shape}>
      %s = stablehlo.slice %c [0:1, 0:1] : (tensor<{shape}>) -> tensor<1x1xf64>
      %r = stablehlo.reshape %s : (tensor<1x1xf64>) -> tensor<f64>
      return %r : tensor<f64>
    }}"""
    assert callable(lift_text(text, [], ["f64[]"]))
