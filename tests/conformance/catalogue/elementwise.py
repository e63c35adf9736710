"""Operations on each element for itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import ml_dtypes
import numpy as np
from conformance.case import Case
from numpy import array

X: Final = array([0.5, -1.25, 2.0])
Y: Final = array([1.5, 0.75, -0.5])
Z: Final = array([1 + 2j, -0.5j, 3.0])
_INF, _NAN = np.inf, np.nan
_LOWEST: Final = np.iinfo(np.int32).min
_ROUNDED: Final = 1e-14


def _pointwise(
    name: str,
    inputs: tuple[Any, ...],
    expected: Any,
    label: str = "",
    rtol: float = 0.0,
    smooth: bool = False,
) -> Case:
    operands = ", ".join(f"%{letter}" for letter, _ in zip("abc", inputs, strict=False))
    types = ", ".join(f"${letter}" for letter, _ in zip("abc", inputs, strict=False))
    body = f'%r = "stablehlo.{name}"({operands}) : ({types}) -> $r'
    return Case(f"stablehlo.{name}", body, inputs, (expected,), label, rtol, smooth)


def _smooth(name: str, function: Callable[..., Any], *inputs: Any) -> Case:
    return _pointwise(name, inputs, function(*inputs), rtol=_ROUNDED, smooth=True)


def _i32(*values: int) -> Any:
    return array(values, np.int32)


def _u8(*values: int) -> Any:
    return array(values, np.uint8)


def _f8(*values: float) -> Any:
    return array(values).astype(ml_dtypes.float8_e4m3fn)


def _bf16(*values: float) -> Any:
    return array(values).astype(ml_dtypes.bfloat16)


def _i4(*values: int) -> Any:
    return array(values).astype(ml_dtypes.int4)


_SMOOTH: Final = (
    _smooth("add", np.add, X, Y),
    _smooth("atan2", np.arctan2, X, Y),
    _smooth("cbrt", np.cbrt, X),
    _smooth("cosine", np.cos, X),
    _smooth("divide", np.divide, X, Y),
    _smooth("exponential", np.exp, X),
    _smooth("exponential_minus_one", np.expm1, X),
    _smooth("log", np.log, np.abs(X)),
    _smooth("log_plus_one", np.log1p, np.abs(X)),
    _smooth("logistic", lambda x: 1 / (1 + np.exp(-x)), X),
    _smooth("maximum", np.maximum, X, Y),
    _smooth("minimum", np.minimum, X, Y),
    _smooth("multiply", np.multiply, X, Y),
    _smooth("negate", np.negative, X),
    _smooth("power", np.power, np.abs(X), Y),
    _smooth("remainder", np.fmod, X + 0.1, Y),
    _smooth("rsqrt", lambda x: 1 / np.sqrt(x), np.abs(X)),
    _smooth("sine", np.sin, X),
    _smooth("sqrt", np.sqrt, np.abs(X)),
    _smooth("subtract", np.subtract, X, Y),
    _smooth("tan", np.tan, X),
    _smooth("tanh", np.tanh, X),
    _smooth("abs", np.abs, X),
    _smooth("complex", lambda x, y: x + 1j * y, X, Y),
    _smooth("real", np.real, Z),
    _smooth("imag", np.imag, Z),
    _smooth("abs", np.abs, Z),
    _smooth("exponential", np.exp, Z),
    _smooth("multiply", np.multiply, Z, Z + 1),
    _smooth("divide", np.divide, Z, Z + 1),
    _smooth("log", np.log, Z),
    _smooth("sqrt", np.sqrt, Z),
    _smooth("tanh", np.tanh, Z),
    _smooth("cosine", np.cos, Z),
    _smooth("power", np.power, Z, Z + 1),
)
_EXACT: Final = (
    _pointwise("add", (_u8(250, 1), _u8(10, 1)), _u8(4, 2), "wraps"),
    _pointwise("add", (array([True, False]), array([True, False])), array([True, False]), "or"),
    _pointwise("multiply", (array([True, False]), array([True, True])), array([True, False]), "and"),
    _pointwise("add", (_i4(7, -8), _i4(1, -1)), _i4(-8, 7), "wraps"),
    _pointwise("add", (_f8(1.0, 448.0), _f8(0.125, 0.0)), _f8(1.125, 448.0)),
    _pointwise("multiply", (_bf16(1.5, -2.0), _bf16(3.0, 0.5)), _bf16(4.5, -1.0)),
    _pointwise("subtract", (np.zeros((0, 3)), np.zeros((0, 3))), np.zeros((0, 3)), "empty"),
    _pointwise("abs", (_i32(-3, _LOWEST),), _i32(3, _LOWEST)),
    _pointwise("abs", (_i4(-3, 7),), _i4(3, 7)),
    _pointwise("negate", (_u8(1, 0),), _u8(255, 0)),
    _pointwise("sign", (array([-2.0, -0.0, _NAN]),), array([-1.0, -0.0, _NAN])),
    _pointwise("sign", (_i32(-7, 0, 9),), _i32(-1, 0, 1)),
    _pointwise("sign", (array([3 + 4j, 0]),), array([0.6 + 0.8j, 0]), rtol=_ROUNDED),
    _pointwise("ceil", (array([-0.5, 1.2, _INF]),), array([-0.0, 2.0, _INF])),
    _pointwise("floor", (array([-0.5, 1.2, -_INF]),), array([-1.0, 1.0, -_INF])),
    _pointwise("round_nearest_afz", (array([0.5, -2.5, 1.2]),), array([1.0, -3.0, 1.0])),
    _pointwise("round_nearest_even", (array([0.5, -2.5, 1.7]),), array([0.0, -2.0, 2.0])),
    _pointwise("is_finite", (array([1.0, _NAN, -_INF]),), array([True, False, False])),
    _pointwise("maximum", (array([1.0, _NAN, -0.0]), array([_NAN, 1.0, 0.0])), array([_NAN, _NAN, 0.0])),
    _pointwise("minimum", (array([1.0, _NAN, -0.0]), array([_NAN, 1.0, 0.0])), array([_NAN, _NAN, -0.0])),
    _pointwise("maximum", (array([1 + 2j, 1 - 1j]), array([1 + 3j, 0 + 9j])), array([1 + 3j, 1 - 1j])),
    _pointwise("maximum", (array([True, False]), array([False, False])), array([True, False])),
    _pointwise("minimum", (_i32(3, -4), _i32(2, -3)), _i32(2, -4)),
    _pointwise("divide", (_i32(7, -7, 5, _LOWEST), _i32(-2, 2, 0, -1)), _i32(-3, -3, -1, _LOWEST)),
    _pointwise("divide", (_u8(7, 5), _u8(2, 0)), _u8(3, 255)),
    _pointwise("remainder", (_i32(7, -7, 5, _LOWEST), _i32(-2, 2, 0, -1)), _i32(1, -1, 5, 0)),
    _pointwise("remainder", (_u8(7, 5), _u8(4, 0)), _u8(3, 5)),
    _pointwise("remainder", (array([-1.5, 7.0, 1.0]), array([1.0, -_INF, 0.0])), array([-0.5, 7.0, _NAN])),
    _pointwise("power", (_i32(3, -2, 2, -1, 1, 0), _i32(4, 3, -1, -3, -5, 0)), _i32(81, -8, 0, -1, 1, 1)),
    _pointwise("power", (_u8(2, 3, 7), _u8(9, 5, 70)), _u8(0, 243, pow(7, 70, 256))),
    _pointwise("power", (array([0.0, -1.0, 2.0]), array([0.0, 0.5, -2.0])), array([1.0, _NAN, 0.25])),
    _pointwise("and", (_i32(6, -1), _i32(3, 5)), _i32(2, 5)),
    _pointwise("or", (_i32(6, -8), _i32(3, 5)), _i32(7, -3)),
    _pointwise("xor", (array([True, True]), array([True, False])), array([False, True])),
    _pointwise("not", (_u8(0, 5),), _u8(255, 250)),
    _pointwise("not", (array([True, False]),), array([False, True])),
    _pointwise("popcnt", (array([-1, 7], np.int8),), array([8, 3], np.int8)),
    _pointwise("count_leading_zeros", (array([1, 0, -1], np.int16),), array([15, 16, 0], np.int16)),
    _pointwise("shift_left", (_u8(129, 3, 1), _u8(1, 8, 255)), _u8(2, 0, 0), "beyond the width"),
    _pointwise("shift_right_arithmetic", (_i32(-8, -8, 8), _i32(1, 40, -1)), _i32(-4, -1, 0)),
    _pointwise("shift_right_logical", (_i32(-1, 8, 8), _i32(28, 1, 32)), _i32(15, 4, 0)),
    _pointwise("real", (X,), X, "of reals"),
    _pointwise("imag", (X,), np.zeros(3), "of reals"),
    _pointwise("select", (array(True), X, Y), X, "by a scalar"),
    _pointwise("select", (array([True, False, True]), X, Y), array([0.5, 0.75, 2.0])),
    _pointwise("clamp", (array(-1.0), X, array([0.0, 2.0, 1.0])), array([0.0, -1.0, 1.0])),
    _pointwise("clamp", (_i32(0, 0), _i32(-5, 7), _i32(3, 3)), _i32(0, 3)),
    _pointwise("logistic", (_bf16(1.5, -_INF),), _bf16(0.81640625, 0.0), "rounds once"),
    _pointwise("tanh", (_bf16(0.5),), _bf16(np.tanh(0.5))),
)
_ORDER: Final = {
    "EQ": lambda order: order == 0,
    "NE": lambda order: order != 0,
    "GE": lambda order: order >= 0,
    "GT": lambda order: order > 0,
    "LE": lambda order: order <= 0,
    "LT": lambda order: order < 0,
}


def _comparisons() -> Iterator[Case]:
    low, high = array([-0.0, _NAN, 1.0, -_NAN]), array([0.0, _INF, 1.0, -_INF])
    total = array([-1, 1, 0, -1])
    for direction, holds in _ORDER.items():
        line = f"%r = stablehlo.compare {direction}, %a, %b{{}} : ($a, $b) -> $r"
        numbers = {"EQ": low == high, "NE": low != high, "GE": low >= high, "GT": low > high}
        numbers |= {"LE": low <= high, "LT": low < high}
        for kind, expected in ((", FLOAT", numbers[direction]), (", TOTALORDER", holds(total))):
            label = f"{direction}{kind[1:]}"
            yield Case("stablehlo.compare", line.format(kind), (low, high), (expected,), label)
        signed = (_i32(-1, 3, 5), _i32(1, 3, 2))
        yield Case(
            "stablehlo.compare", line.format(", SIGNED"), signed, (holds(array([-1, 0, 1])),), direction
        )
    flags = (array([True, False]), array([False, False]))
    line = "%r = stablehlo.compare GT, %a, %b, UNSIGNED : ($a, $b) -> $r"
    yield Case("stablehlo.compare", line, flags, (array([True, False]),))
    line = "%r = stablehlo.compare NE, %a, %b : ($a, $b) -> $r"
    yield Case("stablehlo.compare", line, (Z, Z.conj()), (array([True, True, False]),))


_OTHERS: Final = (
    Case(
        "stablehlo.reduce_precision",
        "%r = stablehlo.reduce_precision %a, format = e5m2 : $a",
        (array([1.1, -3.3, 1e6]),),
        (array([1.0, -3.5, _INF]),),
    ),
    Case(
        "stablehlo.map",
        """%r = "stablehlo.map"(%a, %b) ({
          ^bb0(%x: tensor<f64>, %y: tensor<f64>):
            %s = stablehlo.sine %x : tensor<f64>
            %p = stablehlo.multiply %s, %y : tensor<f64>
            stablehlo.return %p : tensor<f64>
        }) {dimensions = array<i64: 0, 1>} : ($a, $b) -> $r""",
        (np.outer(X, Y), np.outer(Y, X)),
        (np.sin(np.outer(X, Y)) * np.outer(Y, X),),
        rtol=_ROUNDED,
        smooth=True,
    ),
    Case(
        "stablehlo.map",
        """%r = "stablehlo.map"(%a) ({
          ^bb0(%x: tensor<f64>):
            %p = stablehlo.multiply %x, %b : tensor<f64>
            stablehlo.return %p : tensor<f64>
        }) {dimensions = array<i64: 0>} : ($a) -> $r""",
        (X, array(3.0)),
        (3 * X,),
        "of a value from outside",
        smooth=True,
    ),
    Case(
        "stablehlo.map",
        """%r = "stablehlo.map"(%a) ({
          ^bb0(%x: tensor<f64>):
            %p = stablehlo.convert %x : (tensor<f64>) -> tensor<i32>
            stablehlo.return %p : tensor<i32>
        }) {dimensions = array<i64: 0, 1>} : ($a) -> $r""",
        (np.zeros((0, 3)),),
        (np.zeros((0, 3), np.int32),),
        "empty",
    ),
)
CASES: Final = (*_SMOOTH, *_EXACT, *_comparisons(), *_OTHERS)
