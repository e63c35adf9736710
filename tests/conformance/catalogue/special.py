"""Operations of CHLO, and random bits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np
from conformance.case import Case
from numpy import array

_X: Final = array([0.5, -0.25, 0.75])
_Y: Final = array([1.5, 2.25, 3.5])
_Z: Final = array([1 + 2j, -0.5j, 0.25])
_ROUNDED: Final = 1e-13


def _unary(name: str, inputs: Any, expected: Any, label: str = "", smooth: bool = False) -> Case:
    operands = ", ".join(f"%{letter}" for letter, _ in zip("ab", inputs, strict=False))
    types = ", ".join(f"${letter}" for letter, _ in zip("ab", inputs, strict=False))
    body = f'%r = "chlo.{name}"({operands}) : ({types}) -> $r'
    return Case(f"chlo.{name}", body, inputs, (expected,), label, _ROUNDED, smooth)


def _smooth(name: str, function: Callable[..., Any], *inputs: Any) -> Case:
    return _unary(name, inputs, function(*inputs), smooth=True)


_NEXT: Final = np.nextafter(_X, _Y)
# Values of Abramowitz and Stegun, and of the definitions.
_EULER: Final = 0.57721566490153286
_FUNCTIONS: Final = (
    _smooth("acos", np.arccos, _X),
    _smooth("acosh", np.arccosh, _Y),
    _smooth("asin", np.arcsin, _X),
    _smooth("asinh", np.arcsinh, _X),
    _smooth("atan", np.arctan, _X),
    _smooth("atanh", np.arctanh, _X),
    _smooth("cosh", np.cosh, _X),
    _smooth("sinh", np.sinh, _X),
    _smooth("tan", np.tan, _X),
    _smooth("square", np.square, _X),
    _smooth("square", np.square, _Z),
    _smooth("asin", np.arcsin, _Z),
    _smooth("acos", np.arccos, _Z),
    _smooth("atan", np.arctan, _Z),
    _smooth("conj", np.conj, _Z),
    _smooth("conj", np.conj, _X),
    _unary("erf", (array([0.5, 1.0]),), array([0.5204998778130465, 0.8427007929497149]), smooth=True),
    _unary("erfc", (array([0.5, 1.0]),), array([0.4795001221869535, 0.15729920705028513]), smooth=True),
    _unary("erf_inv", (array([0.5204998778130465, 0.8427007929497149]),), array([0.5, 1.0]), smooth=True),
    _unary("lgamma", (array([1.0, 5.0, 0.5]),), array([0.0, np.log(24), np.log(np.pi) / 2]), smooth=True),
    _unary("digamma", (array([1.0, 2.0]),), array([-_EULER, 1 - _EULER]), smooth=True),
    _unary("polygamma", (array([1.0, 1.0]), array([1.0, 2.0])), array([np.pi**2 / 6, np.pi**2 / 6 - 1])),
    _unary("zeta", (array([2.0, 4.0]), array([1.0, 1.0])), array([np.pi**2 / 6, np.pi**4 / 90])),
    _unary("bessel_i1e", (array([0.0, 1.0]),), array([0.0, 0.5651591039924851 / np.e]), smooth=True),
    _unary("next_after", (_X, _Y), _NEXT),
    _unary("is_inf", (array([np.inf, -np.inf, np.nan, 1.0]),), array([True, True, False, False])),
    _unary("is_pos_inf", (array([np.inf, -np.inf, np.nan, 1.0]),), array([True, False, False, False])),
    _unary("is_neg_inf", (array([np.inf, -np.inf, np.nan, 1.0]),), array([False, True, False, False])),
    _unary(
        "_asin_acos_kernel",
        (_Z,),
        np.sqrt(1 - _Z**2).real + 1j * np.abs(np.arcsin(_Z).imag),
        "square root and inverse hyperbolic sine",
    ),
    _unary("mulhi", (array([2**62, -3]), array([5, 7])), array([1, -1])),
    _unary(
        "mulhi",
        (array([2**63, 2**64 - 1], np.uint64), array([6, 2**64 - 1], np.uint64)),
        array([3, 2**64 - 2], np.uint64),
    ),
    _unary("mulhi", (array([100, -100], np.int8), array([100, 100], np.int8)), array([39, -40], np.int8)),
    _unary(
        "mulhi", (array([2**32 - 1], np.uint32), array([2**32 - 1], np.uint32)), array([2**32 - 2], np.uint32)
    ),
    Case("chlo.constant", "%r = chlo.constant dense<[1.5, 2.0]> : $r", (), (array([1.5, 2.0]),)),
    Case(
        "chlo.constant_like",
        '%r = "chlo.constant_like"(%a) {value = 1.5 : f64} : ($a) -> $r',
        (_X,),
        (np.full(3, 1.5),),
    ),
    Case(
        "chlo.constant_like",
        '%r = "chlo.constant_like"(%a) {value = #complex.number<:f64 1.0, -2.0>} : ($a) -> $r',
        (_Z,),
        (np.full(3, 1 - 2j),),
    ),
    Case(
        "chlo.top_k",
        "%r:2 = chlo.top_k(%a, k = 2) : $a -> ($r0, $r1)",
        (array([[3.0, 5.0, 5.0, 1.0], [2.0, 0.0, 9.0, 4.0]]),),
        (array([[5.0, 5.0], [9.0, 4.0]]), array([[1, 2], [2, 3]], np.int32)),
    ),
    Case(
        "chlo.top_k",
        "%r:2 = chlo.top_k(%a, k = 1) : $a -> ($r0, $r1)",
        (array([3, 250, 7], np.uint8),),
        (array([250], np.uint8), array([1], np.int32)),
    ),
)

_ROW, _COLUMN = array([2.0, -3.0, 5.0]), array([[1.5], [4.0]])
_INTEGERS: Final = (array([6, 3, 12], np.int32), array([[1], [2]], np.int32))


def _broadcast(name: str, inputs: Any, expected: Any, attributes: str = "", label: str = "") -> Case:
    operands = ", ".join(f"%{letter}" for letter, _ in zip("abc", inputs, strict=False))
    types = ", ".join(f"${letter}" for letter, _ in zip("abc", inputs, strict=False))
    body = f'%r = "chlo.broadcast_{name}"({operands}) {{{attributes}}} : ({types}) -> $r'
    return Case(f"chlo.broadcast_{name}", body, inputs, (expected,), label, _ROUNDED)


def _broadcasts() -> Iterator[Case]:
    floats: dict[str, Callable[..., Any]] = {
        "add": np.add,
        "atan2": np.arctan2,
        "complex": lambda x, y: x + 1j * y,
        "divide": np.divide,
        "maximum": np.maximum,
        "minimum": np.minimum,
        "multiply": np.multiply,
        "next_after": np.nextafter,
        "power": lambda x, y: np.power(np.abs(x), y),
        "remainder": np.fmod,
        "subtract": np.subtract,
    }
    for name, function in floats.items():
        row = np.abs(_ROW) if name == "power" else _ROW
        yield _broadcast(name, (row, _COLUMN), function(row, _COLUMN))
    integers: dict[str, Callable[..., Any]] = {
        "and": np.bitwise_and,
        "or": np.bitwise_or,
        "xor": np.bitwise_xor,
        "shift_left": np.left_shift,
        "shift_right_arithmetic": np.right_shift,
        "shift_right_logical": np.right_shift,
    }
    for name, function in integers.items():
        yield _broadcast(name, _INTEGERS, function(*_INTEGERS))
    yield _broadcast(
        "polygamma",
        (array(1.0), array([1.0, 2.0])),
        array([np.pi**2 / 6, np.pi**2 / 6 - 1]),
        label="a scalar",
    )
    yield _broadcast(
        "zeta", (array([2.0, 4.0]), array(1.0)), array([np.pi**2 / 6, np.pi**4 / 90]), label="a scalar"
    )
    yield _broadcast(
        "compare",
        (_ROW, _COLUMN),
        _ROW < _COLUMN,
        "comparison_direction = #chlo<comparison_direction LT>",
    )
    yield _broadcast("select", (_COLUMN > 2, _ROW, array(0.0)), np.where(_COLUMN > 2, _ROW, 0.0))
    yield _broadcast(
        "subtract",
        (array([1.0, 2.0]), np.ones((2, 3))),
        array([[0.0] * 3, [1.0] * 3]),
        "broadcast_dimensions = array<i64: 0>",
        "along the first axis",
    )


_GROUPS: Final = array([2, 0, 1])
_ROWS: Final = array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]])
_MATRICES: Final = np.arange(18.0).reshape(3, 2, 3)
_RAGGED: Final = np.stack(
    [_ROWS[0] @ _MATRICES[0], _ROWS[1] @ _MATRICES[0], _ROWS[2] @ _MATRICES[2], np.zeros(3)]
)
_SCAN: Final = """({
  ^bb0(%x: tensor<2xf64>, %c: tensor<2xf64>):
    %p = stablehlo.multiply %c, %x : tensor<2xf64>
    %s = stablehlo.add %p, %x : tensor<2xf64>
    stablehlo.return %p, %s : tensor<2xf64>, tensor<2xf64>
})"""
_SCANNED: Final = array([[0.5, 2.0, -1.0], [3.0, -0.5, 0.25]])


def _scan(reverse: bool) -> Case:
    carry, outputs = array([1.0, 2.0]), np.zeros((2, 3))
    for step in range(2, -1, -1) if reverse else range(3):
        outputs[:, step] = carry * _SCANNED[:, step]
        carry = outputs[:, step] + _SCANNED[:, step]
    return Case(
        "chlo.scan",
        f"""%r:2 = "chlo.scan"(%a, %b) {_SCAN} {{
          dimension = 1 : i64, is_reverse = {str(reverse).lower()},
          operandSegmentSizes = array<i32: 1, 1>, resultSegmentSizes = array<i32: 1, 1>
        }} : ($a, $b) -> ($r0, $r1)""",
        (_SCANNED, array([1.0, 2.0])),
        (outputs, carry),
        "from the end" if reverse else "",
        _ROUNDED,
        smooth=True,
    )


_HIGHER: Final = (
    Case(
        "chlo.ragged_dot",
        """%r = "chlo.ragged_dot"(%a, %b, %c) {ragged_dot_dimension_numbers = #chlo.ragged_dot<
          lhs_contracting_dimensions = [1], rhs_contracting_dimensions = [1],
          lhs_ragged_dimensions = [0], rhs_group_dimensions = [0]>} : ($a, $b, $c) -> $r""",
        (_ROWS, _MATRICES, _GROUPS),
        (_RAGGED,),
        "rows in groups",
        smooth=True,
    ),
    Case(
        "chlo.ragged_dot",
        """%r = "chlo.ragged_dot"(%a, %b, %c) {ragged_dot_dimension_numbers = #chlo.ragged_dot<
          lhs_contracting_dimensions = [0], rhs_contracting_dimensions = [0],
          lhs_ragged_dimensions = [0], rhs_group_dimensions = []>} : ($a, $b, $c) -> $r""",
        (_ROWS, _ROWS[:, :1], _GROUPS),
        (np.stack([_ROWS[:2].T @ _ROWS[:2, :1], np.zeros((2, 1)), _ROWS[2:3].T @ _ROWS[2:3, :1]]),),
        "sums in groups",
        smooth=True,
    ),
    Case(
        "chlo.ragged_dot",
        """%r = "chlo.ragged_dot"(%a, %b, %c) {ragged_dot_dimension_numbers = #chlo.ragged_dot<
          lhs_batching_dimensions = [0], rhs_batching_dimensions = [0],
          lhs_contracting_dimensions = [1], rhs_contracting_dimensions = [1],
          lhs_ragged_dimensions = [0], rhs_group_dimensions = []>} : ($a, $b, $c) -> $r""",
        (_ROWS, _ROWS + 1, _GROUPS),
        (np.sum(_ROWS * (_ROWS + 1), 1) * [1, 1, 1, 0],),
        "batches in groups",
        smooth=True,
    ),
    _scan(False),
    _scan(True),
)


def _bits(algorithm: str, key: Any, new_key: Any, bits: Any) -> Case:
    return Case(
        "stablehlo.rng_bit_generator",
        f"%r:2 = stablehlo.rng_bit_generator %a, algorithm = {algorithm} : ($a) -> ($r0, $r1)",
        (array(key, np.uint64),),
        (array(new_key, np.uint64), bits),
        f"{algorithm} {bits.dtype}",
    )


# Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011: the known answers for counters of zeros.
_THREEFRY: Final = array([0x6B200159, 0x99BA4EFE], np.uint32)
_PHILOX: Final = array([0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8], np.uint32)
_RANDOM: Final = (
    _bits("THREE_FRY", [0, 0], [0, 1], _THREEFRY),
    _bits("THREE_FRY", [0, 0], [0, 1], _THREEFRY.view(np.int32)),
    _bits("PHILOX", [0, 0], [0, 1], _PHILOX),
    _bits("PHILOX", [0, 0], [0, 1], _PHILOX.view(np.float32)),
    _bits("DEFAULT", [0, 0], [0, 1], _PHILOX),
    Case(
        "stablehlo.rng_bit_generator",
        """%k, %u = stablehlo.rng_bit_generator %a, algorithm = THREE_FRY : ($a) -> ($a, tensor<2xui32>)
        %f = stablehlo.convert %u : (tensor<2xui32>) -> tensor<2xf64>
        %r = stablehlo.multiply %f, %b : tensor<2xf64>""",
        (array([0, 0], np.uint64), array([2e-9, 1e-9])),
        (_THREEFRY * array([2e-9, 1e-9]),),
        "factors",
        1e-14,
        smooth=True,
    ),
)
CASES: Final = (*_FUNCTIONS, *_broadcasts(), *_HIGHER, *_RANDOM)
