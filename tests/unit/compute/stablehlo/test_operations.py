"""Each operation of StableHLO computes what its specification says."""

# ruff: noqa: E501 -- the lines of MLIR are as long as they are

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

X = np.array([0.5, -1.25, 2.0])
Y = np.array([1.5, 0.75, -0.5])
I = np.array([5, -3, 8])  # noqa: E741 -- integers
J = np.array([3, 2, -4])
B = np.array([True, False, True])
Z = np.array([1 + 2j, -0.5j, 3.0])
M = np.arange(6.0).reshape(2, 3)
_TYPES = {"f": "tensor<3xf64>", "i": "tensor<3xi64>", "b": "tensor<3xi1>", "z": "tensor<3xcomplex<f64>>"}
_SHORT = {"f": "f64[3]", "i": "i64[3]", "b": "i1[3]", "z": "c128[3]"}
_VALUES = {"f": (X, Y), "i": (I, J), "b": (B, ~B), "z": (Z, Z + 1)}


@pytest.mark.parametrize(
    ("name", "kinds", "expected"),
    [
        ("abs", "f>f", np.abs(X)),
        ("abs", "z>f", np.abs(Z)),
        ("add", "ff>f", X + Y),
        ("add", "zz>z", 2 * Z + 1),
        ("and", "bb>b", np.zeros(3, bool)),
        ("and", "ii>i", I & J),
        ("atan2", "ff>f", np.arctan2(X, Y)),
        ("cbrt", "f>f", np.cbrt(X)),
        ("ceil", "f>f", np.ceil(X)),
        ("complex", "ff>z", X + 1j * Y),
        ("cosine", "f>f", np.cos(X)),
        ("count_leading_zeros", "i>i", [61, 0, 60]),
        ("divide", "ff>f", X / Y),
        ("divide", "ii>i", [1, -1, -2]),
        ("exponential", "f>f", np.exp(X)),
        ("exponential_minus_one", "f>f", np.expm1(X)),
        ("floor", "f>f", np.floor(X)),
        ("imag", "z>f", Z.imag),
        ("is_finite", "f>b", [True, True, True]),
        ("log", "z>z", np.log(Z)),
        ("log_plus_one", "f>f", [np.log1p(0.5), np.nan, np.log1p(2.0)]),
        ("logistic", "f>f", 1 / (1 + np.exp(-X))),
        ("maximum", "ff>f", np.maximum(X, Y)),
        ("minimum", "ii>i", np.minimum(I, J)),
        ("multiply", "ff>f", X * Y),
        ("negate", "f>f", -X),
        ("not", "b>b", ~B),
        ("or", "ii>i", I | J),
        ("popcnt", "i>i", [2, 63, 1]),
        ("power", "ff>f", [0.5**1.5, np.nan, 2.0**-0.5]),
        ("real", "z>f", Z.real),
        ("remainder", "ff>f", np.fmod(X, Y)),
        ("remainder", "ii>i", [2, -1, 0]),
        ("round_nearest_afz", "f>f", [1.0, -1.0, 2.0]),
        ("round_nearest_even", "f>f", [0.0, -1.0, 2.0]),
        ("rsqrt", "f>f", [1 / np.sqrt(0.5), np.nan, 1 / np.sqrt(2.0)]),
        ("shift_left", "ii>i", [40, -12, 0]),
        ("shift_right_arithmetic", "ii>i", [0, -1, 0]),
        ("sign", "f>f", np.sign(X)),
        ("sine", "f>f", np.sin(X)),
        ("sqrt", "f>f", [np.sqrt(0.5), np.nan, np.sqrt(2.0)]),
        ("subtract", "ff>f", X - Y),
        ("tan", "f>f", np.tan(X)),
        ("tanh", "f>f", np.tanh(X)),
        ("xor", "bb>b", B ^ ~B),
    ],
)
def test_elementwise(lift_text: Any, name: str, kinds: str, expected: Any) -> None:
    """An elementwise operation equals numpy's."""
    inputs, output = kinds.split(">")
    arguments = ", ".join(f"%{n}: {_TYPES[kind]}" for n, kind in enumerate(inputs))
    operands = ", ".join(f"%{n}" for n in range(len(inputs)))
    types = ", ".join(_TYPES[kind] for kind in inputs)
    text = f"""func.func @main({arguments}) -> {_TYPES[output]} {{
      %r = "stablehlo.{name}"({operands}) : ({types}) -> {_TYPES[output]}
      return %r : {_TYPES[output]}
    }}"""
    function = lift_text(text, [_SHORT[kind] for kind in inputs], [_SHORT[output]])
    (out,) = function(*[_VALUES[kind][n] for n, kind in enumerate(inputs)])
    np.testing.assert_allclose(out, expected, rtol=1e-14)


@pytest.mark.parametrize("direction", ["EQ", "NE", "GE", "GT", "LE", "LT"])
def test_comparisons_in_total_order(lift_text: Any, direction: str) -> None:
    """In the total order, negative zero lies below zero and NaN above all."""
    text = f"""func.func @main(%x: tensor<3xf64>, %y: tensor<3xf64>) -> tensor<3xi1> {{
      %r = stablehlo.compare {direction}, %x, %y, TOTALORDER : (tensor<3xf64>, tensor<3xf64>) -> tensor<3xi1>
      return %r : tensor<3xi1>
    }}"""
    x, y = np.array([-0.0, np.nan, 1.0]), np.array([0.0, np.inf, 1.0])
    order = np.array([-1, 1, 0])
    expected = {"EQ": order == 0, "NE": order != 0, "GE": order >= 0, "GT": order > 0, "LE": order <= 0}
    (out,) = lift_text(text, ["f64[3]", "f64[3]"], ["i1[3]"])(x, y)
    np.testing.assert_array_equal(out, expected.get(direction, order < 0))


_UNARY = [
    (
        "stablehlo.broadcast_in_dim %x, dims = [1, 2] : (tensor<2x3xf64>) -> tensor<4x2x3xf64>",
        np.broadcast_to(M, (4, 2, 3)),
    ),
    ("stablehlo.reshape %x : (tensor<2x3xf64>) -> tensor<3x2xf64>", M.reshape(3, 2)),
    ("stablehlo.transpose %x, dims = [1, 0] : (tensor<2x3xf64>) -> tensor<3x2xf64>", M.T),
    ("stablehlo.reverse %x, dims = [1] : tensor<2x3xf64>", M[:, ::-1]),
    ("stablehlo.slice %x [0:2, 0:3:2] : (tensor<2x3xf64>) -> tensor<2x2xf64>", M[:, ::2]),
    ("stablehlo.slice %x [1:1, 0:3] : (tensor<2x3xf64>) -> tensor<0x3xf64>", M[1:1]),
    ("stablehlo.concatenate %x, %x, dim = 0 : (tensor<2x3xf64>, tensor<2x3xf64>) -> tensor<4x3xf64>", np.tile(M, (2, 1))),
    ("stablehlo.convert %x : (tensor<2x3xf64>) -> tensor<2x3xi32>", M.astype(np.int32)),
    ("stablehlo.convert %x : (tensor<2x3xf64>) -> tensor<2x3xbf16>", M),
    ("stablehlo.bitcast_convert %x : (tensor<2x3xf64>) -> tensor<2x3xui64>", M.view(np.uint64)),
    ("stablehlo.reduce_precision %x, format = e5m2 : tensor<2x3xf64>", M),
    ("stablehlo.iota dim = 1 : tensor<2x4xi32>", np.broadcast_to(np.arange(4, dtype=np.int32), (2, 4))),
    ("stablehlo.constant dense<[1.5, -2.5]> : tensor<2xf64>", [1.5, -2.5]),
    ("stablehlo.constant dense<3> : tensor<2x2xui8>", np.full((2, 2), 3, np.uint8)),
    ("stablehlo.constant dense<[(1.0, 2.0), (0.0, -1.0)]> : tensor<2xcomplex<f64>>", [1 + 2j, -1j]),
    ("stablehlo.constant dense<[1.0, 0x7F80, -3.0]> : tensor<3xbf16>", [1.0, np.inf, -3.0]),
    ("stablehlo.dot_general %x, %x, contracting_dims = [1] x [1], precision = [HIGHEST, HIGHEST] : (tensor<2x3xf64>, tensor<2x3xf64>) -> tensor<2x2xf64>", M @ M.T),
    ("stablehlo.optimization_barrier %x : tensor<2x3xf64>", M),
    ("chlo.erf_inv %x : tensor<2x3xf64> -> tensor<2x3xf64>", [[0.0, np.inf, np.nan], [np.nan] * 3]),
]  # fmt: skip


@pytest.mark.parametrize(("line", "expected"), _UNARY)
def test_of_one_matrix(lift_text: Any, line: str, expected: Any) -> None:
    """Shapes, slices, conversions, constants."""
    result = line.rsplit("->", maxsplit=1)[-1] if "->" in line else line.rsplit(" : ", maxsplit=1)[-1]
    element = result.strip().removeprefix("tensor<").removesuffix(">").split("x", np.ndim(expected))[-1]
    short = {"complex<f64>": "c128"}.get(element, element)
    shape = ",".join(map(str, np.shape(expected)))
    text = f"func.func @main(%x: tensor<2x3xf64>) -> {result} {{ %r = {line}\n return %r : {result} }}"
    (out,) = lift_text(text, ["f64[2,3]"], [f"{short}[{shape}]"])(M)
    np.testing.assert_array_equal(out, np.asarray(expected, out.dtype))


def test_constant_of_many_complex_numbers(lift_text: Any) -> None:
    """Large constants are printed as their bytes in hexadecimal."""
    values = (np.arange(200) * (1 - 0.5j)).astype(np.complex64)
    text = f"""func.func @main() -> tensor<200xcomplex<f32>> {{
      %r = stablehlo.constant dense<"0x{values.tobytes().hex().upper()}"> : tensor<200xcomplex<f32>>
      return %r : tensor<200xcomplex<f32>>
    }}"""
    np.testing.assert_array_equal(lift_text(text, [], ["c64[200]"])()[0], values)


def test_pad_with_interior_and_negative_edges(lift_text: Any) -> None:
    """Padding may be negative, and between elements."""
    text = """func.func @main(%x: tensor<3xf64>, %p: tensor<f64>) -> tensor<5xf64> {
      %r = stablehlo.pad %x, %p, low = [1], high = [-1], interior = [1] : (tensor<3xf64>, tensor<f64>) -> tensor<5xf64>
      return %r : tensor<5xf64>
    }"""
    (out,) = lift_text(text, ["f64[3]", "f64[]"], ["f64[5]"])(X, 9.0)
    np.testing.assert_array_equal(out, [9.0, 0.5, 9.0, -1.25, 9.0])


def test_dynamic_slice_clamps_negative_indices(lift_text: Any) -> None:
    """In StableHLO an index below zero is clamped, not counted from the end as in JAX."""
    text = """func.func @main(%x: tensor<3xf64>, %i: tensor<i64>) -> tensor<2xf64> {
      %r = stablehlo.dynamic_slice %x, %i, sizes = [2] : (tensor<3xf64>, tensor<i64>) -> tensor<2xf64>
      return %r : tensor<2xf64>
    }"""
    function = lift_text(text, ["f64[3]", "i64[]"], ["f64[2]"])
    np.testing.assert_array_equal(function(X, -1)[0], X[:2])
    np.testing.assert_array_equal(function(X, 7)[0], X[1:])


@pytest.mark.parametrize(
    ("combiner", "start", "expected"),
    [
        ("add", "0.0", M.sum(0)),
        ("add", "1.5", M.sum(0) + 1.5),
        ("multiply", "1.0", M.prod(0)),
        ("maximum", "0xFFF0000000000000", M.max(0)),
        ("maximum", "4.0", np.maximum(M.max(0), 4.0)),
        ("minimum", "0x7FF0000000000000", M.min(0)),
        ("atan2", "0.0", np.arctan2(np.arctan2(0.0, M[0]), M[1])),
    ],
)
def test_reductions(lift_text: Any, combiner: str, start: str, expected: Any) -> None:
    """A region that is known becomes JAX's own reduction; any other is reduced step by step."""
    text = f"""func.func @main(%x: tensor<2x3xf64>) -> tensor<3xf64> {{
      %s = stablehlo.constant dense<{start}> : tensor<f64>
      %r = "stablehlo.reduce"(%x, %s) ({{
        ^bb0(%a: tensor<f64>, %b: tensor<f64>):
          %c = stablehlo.{combiner} %a, %b : tensor<f64>
          stablehlo.return %c : tensor<f64>
      }}) {{dimensions = array<i64: 0>}} : (tensor<2x3xf64>, tensor<f64>) -> tensor<3xf64>
      return %r : tensor<3xf64>
    }}"""
    np.testing.assert_allclose(lift_text(text, ["f64[2,3]"], ["f64[3]"])(M)[0], expected, rtol=1e-14)


@pytest.mark.parametrize(
    ("direction", "operands", "order"), [("LT", "%a, %b", 1), ("GT", "%a, %b", -1), ("LT", "%b, %a", -1)]
)
def test_sort_by_the_second_operand(lift_text: Any, direction: str, operands: str, order: int) -> None:
    """The operand that the region compares decides the order of all."""
    text = f"""func.func @main(%x: tensor<3xf64>, %k: tensor<3xf64>) -> (tensor<3xf64>, tensor<3xf64>) {{
      %r:2 = "stablehlo.sort"(%x, %k) ({{
        ^bb0(%c: tensor<f64>, %d: tensor<f64>, %a: tensor<f64>, %b: tensor<f64>):
          %p = stablehlo.compare {direction}, {operands} : (tensor<f64>, tensor<f64>) -> tensor<i1>
          stablehlo.return %p : tensor<i1>
      }}) {{dimension = 0 : i64, is_stable = true}} : (tensor<3xf64>, tensor<3xf64>) -> (tensor<3xf64>, tensor<3xf64>)
      return %r#0, %r#1 : tensor<3xf64>, tensor<3xf64>
    }}"""
    x, key = lift_text(text, ["f64[3]", "f64[3]"], ["f64[3]", "f64[3]"])(X, Y)
    expected = np.argsort(order * Y)
    np.testing.assert_array_equal(x, X[expected])
    np.testing.assert_array_equal(key, Y[expected])


def test_gather_with_index_vectors_first(lift_text: Any) -> None:
    """The axis of index vectors may stand anywhere."""
    text = """func.func @main(%x: tensor<2x3xf64>, %i: tensor<2x4xi64>) -> tensor<4xf64> {
      %r = "stablehlo.gather"(%x, %i) {
        dimension_numbers = #stablehlo.gather<collapsed_slice_dims = [0, 1], start_index_map = [0, 1], index_vector_dim = 0>,
        slice_sizes = array<i64: 1, 1>, indices_are_sorted = false
      } : (tensor<2x3xf64>, tensor<2x4xi64>) -> tensor<4xf64>
      return %r : tensor<4xf64>
    }"""
    indices = np.array([[0, 1, 1, 0], [2, 0, 7, 1]])
    (out,) = lift_text(text, ["f64[2,3]", "i64[2,4]"], ["f64[4]"])(M, indices)
    np.testing.assert_array_equal(out, [M[0, 2], M[1, 0], M[1, 2], M[0, 1]])


@pytest.mark.parametrize(
    ("combiner", "expected"), [("add", [0.5, 2.75, 2.0]), ("multiply", [0.5, -3.75, 2.0])]
)
def test_scatter_drops_what_lies_outside(lift_text: Any, combiner: str, expected: Any) -> None:
    """Updates beyond the operand are left out; those at one place are combined."""
    text = f"""func.func @main(%x: tensor<3xf64>, %i: tensor<3x1xi64>, %u: tensor<3xf64>) -> tensor<3xf64> {{
      %r = "stablehlo.scatter"(%x, %i, %u) ({{
        ^bb0(%a: tensor<f64>, %b: tensor<f64>):
          %c = stablehlo.{combiner} %a, %b : tensor<f64>
          stablehlo.return %c : tensor<f64>
      }}) {{
        scatter_dimension_numbers = #stablehlo.scatter<inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1>,
        indices_are_sorted = false, unique_indices = false
      }} : (tensor<3xf64>, tensor<3x1xi64>, tensor<3xf64>) -> tensor<3xf64>
      return %r : tensor<3xf64>
    }}"""
    function = lift_text(text, ["f64[3]", "i64[3,1]", "f64[3]"], ["f64[3]"])
    (out,) = function(X, np.array([[1], [9], [1]]), np.array([1.0, 100.0, 3.0]))
    np.testing.assert_allclose(out, expected)


def test_map_applies_its_region_to_scalars(lift_text: Any) -> None:
    """A map over two arrays of two axes."""
    text = """func.func @main(%x: tensor<2x3xf64>) -> tensor<2x3xf64> {
      %r = "stablehlo.map"(%x, %x) ({
        ^bb0(%a: tensor<f64>, %b: tensor<f64>):
          %c = stablehlo.multiply %a, %b : tensor<f64>
          %d = stablehlo.sine %c : tensor<f64>
          stablehlo.return %d : tensor<f64>
      }) {dimensions = array<i64: 0, 1>} : (tensor<2x3xf64>, tensor<2x3xf64>) -> tensor<2x3xf64>
      return %r : tensor<2x3xf64>
    }"""
    np.testing.assert_allclose(lift_text(text, ["f64[2,3]"], ["f64[2,3]"])(M)[0], np.sin(M * M))


@pytest.mark.parametrize(("which", "expected"), [(0, np.sin(X)), (1, X + 2.0), (9, X + 2.0), (-1, X + 2.0)])
def test_case_takes_the_last_branch_for_what_is_out_of_range(
    lift_text: Any, which: int, expected: Any
) -> None:
    """Branches use values from outside; an index below or beyond takes the last branch."""
    text = """func.func @main(%i: tensor<i32>, %x: tensor<3xf64>) -> tensor<3xf64> {
      %t = stablehlo.constant dense<2.0> : tensor<3xf64>
      %r = "stablehlo.case"(%i) ({
        %s = stablehlo.sine %x : tensor<3xf64>
        stablehlo.return %s : tensor<3xf64>
      }, {
        %s = stablehlo.add %x, %t : tensor<3xf64>
        stablehlo.return %s : tensor<3xf64>
      }) : (tensor<i32>) -> tensor<3xf64>
      return %r : tensor<3xf64>
    }"""
    (out,) = lift_text(text, ["i32[]", "f64[3]"], ["f64[3]"])(np.int32(which), X)
    np.testing.assert_allclose(out, expected)


def test_if_and_while_with_captured_values(lift_text: Any) -> None:
    """Regions may use what is defined around them, at any depth."""
    text = """func.func @main(%x: tensor<f64>) -> (tensor<i64>, tensor<f64>) {
      %zero = stablehlo.constant dense<0> : tensor<i64>
      %one = stablehlo.constant dense<1> : tensor<i64>
      %limit = stablehlo.constant dense<10.0> : tensor<f64>
      %r:2 = stablehlo.while(%n = %zero, %y = %x) : tensor<i64>, tensor<f64>
      cond {
        %c = stablehlo.compare LT, %y, %limit : (tensor<f64>, tensor<f64>) -> tensor<i1>
        stablehlo.return %c : tensor<i1>
      } do {
        %m = stablehlo.add %n, %one : tensor<i64>
        %p = stablehlo.compare GT, %y, %x : (tensor<f64>, tensor<f64>) -> tensor<i1>
        %z = "stablehlo.if"(%p) ({
          %s = stablehlo.multiply %y, %x : tensor<f64>
          stablehlo.return %s : tensor<f64>
        }, {
          %s = stablehlo.add %y, %x : tensor<f64>
          stablehlo.return %s : tensor<f64>
        }) : (tensor<i1>) -> tensor<f64>
        stablehlo.return %m, %z : tensor<i64>, tensor<f64>
      }
      return %r#0, %r#1 : tensor<i64>, tensor<f64>
    }"""
    steps, value = lift_text(text, ["f64[]"], ["i64[]", "f64[]"])(2.0)
    assert (steps, value) == (3, 16.0)


def test_cholesky_reads_one_triangle(lift_text: Any) -> None:
    """The other triangle may hold anything."""
    text = """func.func @main(%x: tensor<2x2xf64>) -> tensor<2x2xf64> {
      %r = stablehlo.cholesky %x, lower = false : tensor<2x2xf64>
      return %r : tensor<2x2xf64>
    }"""
    matrix = np.array([[4.0, 2.0], [99.0, 5.0]])
    (out,) = lift_text(text, ["f64[2,2]"], ["f64[2,2]"])(matrix)
    np.testing.assert_allclose(np.triu(out), [[2.0, 1.0], [0.0, 2.0]])
