"""Custom calls that JAX guarantees to be stable are JAX's operations again, with their derivatives."""

# ruff: noqa: E501 -- the lines of MLIR are as long as they are

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conformance.agreement import bit_equal, disagreement
from conformance.exports import directions, pulled, pushed, serve_exported
from jax import lax

from pullback_server.compute.formats.stablehlo.operations.custom_calls import TARGETS
from pullback_server.errors import Reason, ServiceError

_RANDOM = np.random.default_rng(0)
_SQUARE = _RANDOM.standard_normal((4, 4))
_TALL, _WIDE = _RANDOM.standard_normal((5, 3)), _RANDOM.standard_normal((2, 3, 5))
_POSITIVE = _SQUARE @ _SQUARE.T + 4 * np.eye(4)
_COMPLEX = _SQUARE + 1j * _RANDOM.standard_normal((4, 4))
_LAYOUTS = "operand_layouts = [dense<[0, 1]> : tensor<2xindex>], result_layouts = [dense<[0, 1]> : tensor<2xindex>, {}]"
_M = "tensor<2x2xf64>"
_linalg = lax.linalg


def _flat(function: Callable[..., Any]) -> Callable[..., list[Any]]:
    return lambda *leaves: list(jax.tree.leaves(function(*leaves)))


_FUNCTIONS: dict[str, tuple[Callable[..., Any], Any]] = {
    "cholesky": (_linalg.cholesky, _POSITIVE),
    "cholesky, complex": (_linalg.cholesky, _COMPLEX @ _COMPLEX.conj().T),
    "eigenvalues": (
        lambda x: _linalg.eig(x, compute_left_eigenvectors=False, compute_right_eigenvectors=False),
        _SQUARE,
    ),
    "eigenvectors": (lambda x: _linalg.eig(x, enable_eigvec_derivs=True), _SQUARE),
    "eigh": (_linalg.eigh, _POSITIVE),
    "eigh, upper": (
        lambda x: _linalg.eigh(x, lower=False, symmetrize_input=False),
        _COMPLEX @ _COMPLEX.conj().T,
    ),
    "lu": (_linalg.lu, _WIDE),
    "qr, tall": (lambda x: _linalg.qr(x, full_matrices=False), _TALL),
    "qr, full": (_linalg.qr, _TALL),
    "qr, wide batch": (_linalg.qr, _WIDE),
    "qr, complex": (_linalg.qr, _COMPLEX),
    "qr, no rows": (_linalg.qr, np.zeros((0, 3))),
    "q of qr": (lambda x: jnp.linalg.qr(x)[0], _TALL),
    "r of qr": (lambda x: jnp.linalg.qr(x, mode="r"), _TALL),
    "qr in a loop": (
        lambda x: lax.fori_loop(0, 2, lambda _, y: _linalg.qr(y, full_matrices=False)[0] + y, x),
        _TALL,
    ),
    "svd": (lambda x: _linalg.svd(x, full_matrices=False), _WIDE),
    "singular values": (lambda x: _linalg.svd(x, compute_uv=False), _COMPLEX),
    "triangular solve": (
        lambda x: _linalg.triangular_solve(x, x[:, :2], left_side=True, lower=True, transpose_a=True),
        _SQUARE,
    ),
    "triangular solve, conjugate": (
        lambda x: _linalg.triangular_solve(x, x, transpose_a=True, conjugate_a=True),
        _COMPLEX,
    ),
    "tridiagonal solve": (lambda x: _linalg.tridiagonal_solve(x[0], x[1] + 3, x[2], x[:, :2]), _SQUARE),
}
_VALUES: dict[str, tuple[Callable[..., Any], Any]] = {
    "hessenberg": (_linalg.hessenberg, _COMPLEX),
    "schur": (_linalg.schur, _SQUARE),
    "schur, form": (lambda x: _linalg.schur(x, compute_schur_vectors=False), _COMPLEX),
    "tridiagonal": (lambda x: _linalg.tridiagonal(x, lower=False), _POSITIVE),
    "householder product": (lambda x: _linalg.householder_product(x, x[0]), _TALL),
    "raw qr": (lambda x: jnp.linalg.qr(x, mode="raw"), _TALL),
}


@pytest.mark.parametrize("name", _FUNCTIONS)
def test_linear_algebra_of_a_cpu(name: str) -> None:
    """LAPACK's calls give what JAX gives, bit for bit, in value and both modes."""
    function, x = _flat(_FUNCTIONS[name][0]), _FUNCTIONS[name][1]
    served = serve_exported(function, [x])
    expected = jax.jit(function)(x)
    assert bit_equal(jax.jit(served.forward)(x), expected)
    tangents, cotangents = directions([x], 1), directions(expected, 2)
    assert not disagreement(pushed(served.forward, [x], tangents), pushed(function, [x], tangents))
    assert not disagreement(pulled(served.reverse, [x], cotangents), pulled(function, [x], cotangents))


@pytest.mark.parametrize("name", _VALUES)
def test_linear_algebra_without_derivatives(name: str) -> None:
    """What JAX cannot differentiate is evaluated, bit for bit, and raises as JAX raises."""
    function, x = _flat(_VALUES[name][0]), _VALUES[name][1]
    served = serve_exported(function, [x])
    assert bit_equal(jax.jit(served.forward)(x), jax.jit(function)(x))
    with pytest.raises(NotImplementedError):
        pushed(served.forward, [x], directions([x], 1))


@pytest.mark.parametrize(
    ("platform", "name"),
    [
        *(
            ("cuda", name)
            for name in ("cholesky", "eigh", "lu", "qr, tall", "qr, wide batch", "tridiagonal solve")
        ),
        *(("cuda", name) for name in ("triangular solve", "singular values")),
        *(("tpu", name) for name in ("lu", "qr, tall", "qr, full", "r of qr")),
    ],
)
def test_linear_algebra_of_other_devices(platform: str, name: str) -> None:
    """A program for another device computes the same here, and differentiates."""
    function, x = _flat(_FUNCTIONS[name][0]), _FUNCTIONS[name][1]
    served = serve_exported(function, [x], platform)
    expected = jax.jit(function)(x)
    assert not disagreement(jax.jit(served.forward)(x), expected)
    cotangents = directions(expected, 2)
    assert not disagreement(pulled(served.reverse, [x], cotangents), pulled(function, [x], cotangents))


def _call(
    target: str, configuration: str, operand: str = _M, results: str = f"({_M}, tensor<i32>)", more: str = ""
) -> str:
    layouts = more or _LAYOUTS.format("dense<> : tensor<0xindex>")
    count = results.count("tensor<")
    names = ", ".join(f"%r#{index}" for index in range(count))
    return f"""func.func @main(%x: {operand}) -> {results} {{
      %r:{count} = stablehlo.custom_call @{target}(%x) {{mhlo.backend_config = {{{configuration}}}, {layouts}}} : ({operand}) -> {results}
      return {names} : {results[1:-1]} }}"""


def test_a_matrix_that_is_not_positive_says_so(lift_text: Any) -> None:
    """LAPACK's info is zero where a factorisation exists, and only there."""
    function = lift_text(_call("lapack_dpotrf_ffi", "uplo = 76 : ui8"), ["f64[2,2]"], ["f64[2,2]", "i32[]"])
    assert function(np.diag([4.0, 9.0]))[1] == 0
    assert function(np.diag([4.0, -9.0]))[1] != 0


def test_the_upper_triangle_is_factorised(lift_text: Any) -> None:
    """Where the call says so, the matrix is U* U, and its lower triangle is not read."""
    function = lift_text(_call("lapack_dpotrf_ffi", "uplo = 85 : ui8"), ["f64[2,2]"], ["f64[2,2]", "i32[]"])
    factor = np.triu(function(np.array([[4.0, 2.0], [np.pi, 5.0]]))[0])
    np.testing.assert_allclose(factor.T @ factor, [[4.0, 2.0], [2.0, 5.0]], rtol=1e-15)


def test_pivots_count_from_one(lift_text: Any) -> None:
    """LAPACK's pivots, and the place of the first zero on the diagonal."""
    results = f"({_M}, tensor<2xi32>, tensor<i32>)"
    layouts = _LAYOUTS.format("dense<0> : tensor<1xindex>, dense<> : tensor<0xindex>")
    function = lift_text(
        _call("lapack_dgetrf_ffi", "", results=results, more=layouts),
        ["f64[2,2]"],
        ["f64[2,2]", "i32[2]", "i32[]"],
    )
    factors, pivots, info = function(np.array([[1.0, 2.0], [3.0, 6.0]]))
    np.testing.assert_array_equal(factors[0], [3.0, 6.0])
    np.testing.assert_array_equal(pivots, [2, 2])
    assert info == 2


def test_what_a_call_leaves_undefined_is_no_number(lift_text: Any) -> None:
    """Singular vectors that were not asked for, and the matrix that was overwritten."""
    results = f"({_M}, tensor<2xf64>, {_M}, {_M}, tensor<i32>)"
    matrix, vector = "dense<[0, 1]> : tensor<2xindex>", "dense<0> : tensor<1xindex>"
    layouts = _LAYOUTS.format(f"{vector}, {matrix}, {matrix}, dense<> : tensor<0xindex>")
    text = _call("lapack_dgesdd_ffi", "mode = 78 : ui8", results=results, more=layouts)
    function = lift_text(text, ["f64[2,2]"], ["f64[2,2]", "f64[2]", "f64[2,2]", "f64[2,2]", "i32[]"])
    overwritten, values, left, right, info = function(np.diag([3.0, 4.0]))
    assert np.isnan([overwritten, left, right]).all()
    np.testing.assert_allclose(values, [4.0, 3.0])
    assert info == 0


@pytest.mark.parametrize(
    "layouts",
    [_LAYOUTS.format("dense<> : tensor<0xindex>").replace("[0, 1]", "[1, 0]"), "api_version = 4 : i32"],
)
def test_other_layouts_are_refused(lift_text: Any, layouts: str) -> None:
    """In another layout, LAPACK would see the transpose."""
    error = _refusal(lift_text, _call("lapack_dpotrf_ffi", "uplo = 76 : ui8", more=layouts), ["f64[2,2]"])
    assert "layout" in str(error)


def _refusal(lift_text: Any, text: str, arguments: list[str]) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        lift_text(text, arguments, ["f64[2,2]", "i32[]"])
    assert caught.value.reason is Reason.UNSUPPORTED_OPERATION
    return caught.value


@pytest.mark.parametrize(
    ("target", "advice"),
    [
        ("xla_ffi_python_cpu_callback", "jax.numpy"),
        ("xla_python_gpu_callback", "jax.numpy"),
        ("tpu_custom_call", "plain implementation"),
        ("__gpu$xla.gpu.triton", "plain implementation"),
        ("lapack_dpotrf", "export the function again"),
        ("cusolver_syevj", "export the function again"),
        ("my_kernel", "pullback.export"),
    ],
)
def test_what_is_not_served_is_refused_with_advice(lift_text: Any, target: str, advice: str) -> None:
    """Callbacks, kernels, given up conventions and unknown calls are refused by name at registration."""
    error = _refusal(lift_text, _call(target, ""), ["f64[2,2]"])
    assert f"@{target}" in str(error)
    assert advice in str(error)


def test_a_configuration_may_be_bytes(lift_text: Any) -> None:
    """Bytes that are no text do not get in the way of the refusal."""
    text = f"""func.func @main(%x: {_M}) -> ({_M}, tensor<i32>) {{
      %r:2 = stablehlo.custom_call @hipsolver_syevd(%x) {{backend_config = "\\FF\\00"}} : ({_M}) -> ({_M}, tensor<i32>)
      return %r#0, %r#1 : {_M}, tensor<i32> }}"""
    assert "given up" in str(_refusal(lift_text, text, ["f64[2,2]"]))


@pytest.mark.parametrize(
    ("expected", "equal"),
    [([1.0, np.nan], True), ([1.00001, np.nan], True), ([1.01, np.nan], False), ([1.0, 2.0], False)],
)
def test_check_eq_is_an_answer(lift_text: Any, expected: list[float], equal: bool) -> None:
    """As in the interpreter of StableHLO: floats are equal to four digits, and NaN equals NaN."""
    text = """func.func @main(%x: tensor<2xf64>, %y: tensor<2xf64>) -> tensor<i1> {
      %r = stablehlo.custom_call @check.eq(%x, %y) : (tensor<2xf64>, tensor<2xf64>) -> tensor<i1>
      return %r : tensor<i1> }"""
    function = lift_text(text, ["f64[2]", "f64[2]"], ["i1[]"])
    assert bool(function(np.array([1.0, np.nan]), np.array(expected))[0]) is equal


@pytest.mark.parametrize("target", ["check.expect_eq", "check.expect_close", "check.expect_almost_eq"])
def test_expectations_are_dropped(lift_text: Any, target: str) -> None:
    """What a test expects is for the test to look at: the program gives its results."""
    text = f"""func.func @main(%x: {_M}) -> {_M} {{
      %c = stablehlo.constant dense<7.0> : {_M}
      stablehlo.custom_call @{target}(%x, %c) {{has_side_effect = true}} : ({_M}, {_M}) -> ()
      return %x : {_M} }}"""
    function = lift_text(text, ["f64[2,2]"], ["f64[2,2]"])
    np.testing.assert_array_equal(function(_SQUARE[:2, :2])[0], _SQUARE[:2, :2])


def test_a_shape_assertion_that_does_not_hold_is_malformed(lift_text: Any) -> None:
    """One that holds is dropped; another refuses the program with its message."""
    text = """func.func @main(%x: tensor<2xf64>) -> tensor<2xf64> {
      %c = stablehlo.constant dense<HOLDS> : tensor<i1>
      stablehlo.custom_call @shape_assertion(%c) {has_side_effect = true, error_message = "n is odd"} : (tensor<i1>) -> ()
      return %x : tensor<2xf64> }"""
    lift_text(text.replace("HOLDS", "true"), ["f64[2]"], ["f64[2]"])
    with pytest.raises(ServiceError, match="n is odd") as caught:
        lift_text(text.replace("HOLDS", "false"), ["f64[2]"], ["f64[2]"])
    assert caught.value.reason is Reason.MALFORMED_PROGRAM


@pytest.mark.parametrize(
    "line",
    [
        '%r = stablehlo.custom_call @Sharding(%x) {mhlo.sharding = "{replicated}"} : (TYPE) -> TYPE',
        "%r = stablehlo.custom_call @annotate_device_placement(%x) {has_side_effect = true} : (TYPE) -> TYPE",
        "%r = stablehlo.custom_call @xla.sdy.FuncResultSharding(%x) : (TYPE) -> TYPE",
    ],
)
def test_placements_are_dropped(lift_text: Any, line: str) -> None:
    """Where values lie is the server's business."""
    text = f"func.func @main(%x: {_M}) -> {_M} {{ {line}\n return %r : {_M} }}".replace("TYPE", _M)
    np.testing.assert_array_equal(lift_text(text, ["f64[2,2]"], ["f64[2,2]"])(np.eye(2))[0], np.eye(2))


def test_pieces_for_several_devices_are_refused(lift_text: Any) -> None:
    """A placement that cuts an array."""
    text = f"""func.func @main(%x: {_M}) -> tensor<1x2xf64> {{
      %r = stablehlo.custom_call @SPMDFullToShardShape(%x) : ({_M}) -> tensor<1x2xf64>
      return %r : tensor<1x2xf64> }}"""
    with pytest.raises(ServiceError, match="several devices"):
        lift_text(text, ["f64[2,2]"], ["f64[1,2]"])


@pytest.mark.parametrize("largest", [True, False])
@pytest.mark.parametrize("kind", ["f32", "i32"])
def test_top_k_of_old_programs(lift_text: Any, kind: str, largest: bool) -> None:
    """As a custom call, from before StableHLO could carry CHLO's operation."""
    text = f"""func.func @main(%x: tensor<4x{kind}>) -> (tensor<2x{kind}>, tensor<2xi32>) {{
      %r:2 = stablehlo.custom_call @mhlo.topk(%x) {{mhlo.attributes = {{k = 2 : i64, largest = {str(largest).lower()}}}, mhlo.version = 1 : i64}} : (tensor<4x{kind}>) -> (tensor<2x{kind}>, tensor<2xi32>)
      return %r#0, %r#1 : tensor<2x{kind}>, tensor<2xi32> }}"""
    x = np.array([3, -1, 7, 0], {"f32": np.float32, "i32": np.int32}[kind])
    values, places = lift_text(text, [f"{kind}[4]"], [f"{kind}[2]", "i32[2]"])(x)
    order = np.argsort(-x if largest else x)[:2]
    np.testing.assert_array_equal(values, x[order])
    np.testing.assert_array_equal(places, order)


def test_operations_of_chlo_travel_as_calls(lift_text: Any) -> None:
    """`mhlo.erf` is the error function, with its derivative."""
    text = """func.func @main(%x: tensor<2xf64>) -> tensor<2xf64> {
      %r = stablehlo.custom_call @mhlo.erf(%x) {mhlo.attributes = {}, mhlo.version = 1 : i64} : (tensor<2xf64>) -> tensor<2xf64>
      return %r : tensor<2xf64> }"""
    x = np.array([0.5, -2.0])
    np.testing.assert_array_equal(lift_text(text, ["f64[2]"], ["f64[2]"])(x)[0], lax.erf(x))


def test_approximate_maxima() -> None:
    """`lax.approx_max_k`, in value and reverse mode."""
    function, x = _flat(lambda x: lax.approx_max_k(x, 3)), np.arange(30.0, dtype=np.float32) % 7
    served = serve_exported(function, [x])
    assert bit_equal(jax.jit(served.forward)(x), jax.jit(function)(x))
    cotangents = directions([np.zeros(3, np.float32)], 2)
    assert bit_equal(pulled(served.reverse, [x], cotangents), pulled(function, [x], cotangents))


def test_all_stable_calls_of_jax_are_known() -> None:
    """Every target that `jax.export` guarantees is served, or a kernel that cannot be, or open in size."""
    from jax._src.export import _export  # noqa: PLC0415 -- JAX keeps the list to itself

    stable = set(_export._CUSTOM_CALL_TARGETS_GUARANTEED_STABLE)
    kernels = {"tf.call_tf_function", "tpu_custom_call", "mosaic_gpu_v2"}
    rest = stable - set(TARGETS) - kernels
    assert all(target.startswith("stablehlo.dynamic_") for target in rest), rest
