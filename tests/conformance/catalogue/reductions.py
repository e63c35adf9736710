"""Reductions over axes and windows, and orders along axes."""

from __future__ import annotations

from typing import Any, Final

import ml_dtypes
import numpy as np
from conformance.case import Case
from numpy import array

_M: Final = array([[0.5, -1.25, 2.0], [3.5, 0.25, -0.75]])
_V: Final = array([0.5, -1.25, 2.0, 3.5, 0.25])


def _region(name: str, kind: str = "f64") -> str:
    return f"""({{
      ^bb0(%x: tensor<{kind}>, %y: tensor<{kind}>):
        %s = stablehlo.{name} %x, %y : tensor<{kind}>
        stablehlo.return %s : tensor<{kind}>
    }})"""


def _reduce(
    region: str, operand: Any, start: Any, axes: str, expected: Any, label: str, smooth: bool = False
) -> Case:
    body = f"""%start = stablehlo.constant dense<{start}> : tensor<ELEMENT>
    %r = "stablehlo.reduce"(%a, %start) {region} {{dimensions = array<i64: {axes}>}}
      : ($a, tensor<ELEMENT>) -> $r"""
    element = {"b": "i1", "i": "i32", "u": "ui8", "c": "complex<f64>"}.get(operand.dtype.kind, "f64")
    if operand.dtype == ml_dtypes.bfloat16:
        element = "bf16"
    body = body.replace("array<i64: >", "array<i64>").replace("ELEMENT", element)
    return Case("stablehlo.reduce", body, (operand,), (expected,), label, 1e-14, smooth)


# Not commutative, but associative: x + y * (1 + x) is (1 + x)(1 + y) - 1.
_GROWTH: Final = """({
  ^bb0(%x: tensor<f64>, %y: tensor<f64>):
    %p = stablehlo.multiply %x, %y : tensor<f64>
    %q = stablehlo.add %x, %y : tensor<f64>
    %s = stablehlo.add %p, %q : tensor<f64>
    stablehlo.return %s : tensor<f64>
})"""
_ARGMAX: Final = """({
  ^bb0(%x: tensor<f64>, %i: tensor<i32>, %y: tensor<f64>, %j: tensor<i32>):
    %p = stablehlo.compare GE, %x, %y : (tensor<f64>, tensor<f64>) -> tensor<i1>
    %v = stablehlo.select %p, %x, %y : tensor<i1>, tensor<f64>
    %n = stablehlo.select %p, %i, %j : tensor<i1>, tensor<i32>
    stablehlo.return %v, %n : tensor<f64>, tensor<i32>
})"""
_SCALED: Final = """({
  ^bb0(%x: tensor<f64>, %y: tensor<f64>):
    %q = stablehlo.add %x, %y : tensor<f64>
    %s = stablehlo.multiply %q, %b : tensor<f64>
    stablehlo.return %s : tensor<f64>
})"""
_HIGHEST: Final = "0xFFF0000000000000"
_REDUCTIONS: Final = (
    _reduce(_region("add"), _M, "0.0", "0", _M.sum(0), "add", smooth=True),
    _reduce(_region("add"), _M, "1.5", "0, 1", array(_M.sum() + 1.5), "add to a start", smooth=True),
    _reduce(_region("add"), _M, "1.5", "", _M + 1.5, "over no axis"),
    _reduce(_region("add"), np.zeros((0, 3)), "1.5", "0", np.full(3, 1.5), "nothing"),
    _reduce(_region("multiply"), _M, "1.0", "1", _M.prod(1), "multiply", smooth=True),
    _reduce(_region("maximum"), _M, _HIGHEST, "1", _M.max(1), "maximum", smooth=True),
    _reduce(_region("maximum"), _M, "1.0", "1", np.maximum(_M.max(1), 1.0), "maximum with a start"),
    _reduce(_region("minimum"), _M, "0x7FF0000000000000", "0", _M.min(0), "minimum", smooth=True),
    _reduce(_region("add", "i1"), _M > 0, "false", "0", (_M > 0).any(0), "or"),
    _reduce(_region("and", "i1"), _M > -1, "true", "1", (_M > -1).all(1), "and"),
    _reduce(_region("xor", "i32"), array([5, 3, 9], np.int32), "0", "0", array(15, np.int32), "exclusive or"),
    _reduce(_region("or", "ui8"), array([5, 3, 8], np.uint8), "0", "0", array(15, np.uint8), "bits"),
    _reduce(_region("add", "ui8"), array([250, 10], np.uint8), "0", "0", array(4, np.uint8), "wraps"),
    _reduce(
        _region("maximum", "complex<f64>"),
        array([1 + 1j, 1 + 2j, 0.5 + 9j]),
        "(0.0, 0.0)",
        "0",
        array(1 + 2j),
        "complex numbers, in their order",
    ),
    _reduce(
        _region("add", "bf16"),
        array([1.0, 2.0, 3.5]).astype(ml_dtypes.bfloat16),
        "0.0",
        "0",
        array(6.5).astype(ml_dtypes.bfloat16),
        "add",
    ),
    _reduce(_GROWTH, _M, "0.0", "1", (1 + _M).prod(1) - 1, "any region", smooth=True),
    _reduce(_GROWTH, np.zeros((2, 0)), "0.5", "1", np.full(2, 0.5), "any region of nothing"),
    Case(
        "stablehlo.reduce",
        f"""%start = stablehlo.constant dense<{_HIGHEST}> : tensor<f64>
        %first = stablehlo.constant dense<0> : tensor<i32>
        %places = stablehlo.iota dim = 1 : tensor<2x3xi32>
        %r:2 = "stablehlo.reduce"(%a, %places, %start, %first) {_ARGMAX} {{dimensions = array<i64: 1>}}
          : ($a, tensor<2x3xi32>, tensor<f64>, tensor<i32>) -> ($r0, $r1)""",
        (_M,),
        (_M.max(1), _M.argmax(1).astype(np.int32)),
        "the greatest and its place",
        smooth=True,
    ),
    Case(
        "stablehlo.reduce",
        f"""%start = stablehlo.constant dense<0.0> : tensor<f64>
        %r = "stablehlo.reduce"(%a, %start) {_SCALED} {{dimensions = array<i64: 0>}}
          : ($a, tensor<f64>) -> $r""",
        (_V, array(1.0)),
        (array(_V.sum()),),
        "a region with a value from outside",
        1e-14,
    ),
    Case(
        "stablehlo.reduce",
        """%start = stablehlo.constant dense<0.5> : tensor<f64>
        %r = "stablehlo.reduce"(%a, %start) ({
          ^bb0(%x: tensor<f64>, %y: tensor<f64>):
            %t = stablehlo.add %x, %y : tensor<f64>
            stablehlo.return %t : tensor<f64>
        }) {dimensions = array<i64: 0>} : ($a, tensor<f64>) -> $r""",
        (array([1.5, 2.0], np.float32),),
        (array(4.0),),
        "in a wider type",
    ),
)


def _window(
    region: str, start: str, attributes: str, operand: Any, expected: Any, label: str, smooth: bool = True
) -> Case:
    body = f"""%start = stablehlo.constant dense<{start}> : tensor<f64>
    %r = "stablehlo.reduce_window"(%a, %start) {region} {{{attributes}}} : ($a, tensor<f64>) -> $r"""
    return Case("stablehlo.reduce_window", body, (operand,), (expected,), label, 1e-13, smooth)


_PAIRS: Final = "window_dimensions = array<i64: 2>"
_UP_TO: Final = "window_dimensions = array<i64: 5>, padding = dense<[[4, 0]]> : tensor<1x2xi64>"
_FROM: Final = "window_dimensions = array<i64: 5>, padding = dense<[[0, 4]]> : tensor<1x2xi64>"
_DILATED: Final = (
    "window_dimensions = array<i64: 2>, window_strides = array<i64: 2>, base_dilations = array<i64: 2>, "
    "window_dilations = array<i64: 3>, padding = dense<[[2, 1]]> : tensor<1x2xi64>"
)
# The elements as the dilated windows see them: 0 0 v0 0 v1 0 v2 0 v3 0 v4 0, pairs three apart.
_SPREAD: Final = np.concatenate([[0, 0], np.insert(_V, range(1, 5), 0.0), [0]])
_PLACES: Final = np.arange(0, 9, 2)
_POOLED: Final = (
    "window_dimensions = array<i64: 1, 2>, window_strides = array<i64: 1, 2>, "
    "padding = dense<[[0, 0], [0, 1]]> : tensor<2x2xi64>"
)
_LOG_ADD: Final = """({
  ^bb0(%x: tensor<f64>, %y: tensor<f64>):
    %m = stablehlo.maximum %x, %y : tensor<f64>
    %d = stablehlo.subtract %x, %y : tensor<f64>
    %e = stablehlo.abs %d : tensor<f64>
    %n = stablehlo.negate %e : tensor<f64>
    %p = stablehlo.exponential %n : tensor<f64>
    %l = stablehlo.log_plus_one %p : tensor<f64>
    %s = stablehlo.add %m, %l : tensor<f64>
    stablehlo.return %s : tensor<f64>
})"""
_WINDOWED: Final = (
    _window(_region("add"), "0.0", _PAIRS, _V, _V[:-1] + _V[1:], "sums"),
    _window(_region("maximum"), _HIGHEST, _PAIRS, _V, np.maximum(_V[:-1], _V[1:]), "maxima"),
    _window(_region("minimum"), "0x7FF0000000000000", _PAIRS, _V, np.minimum(_V[:-1], _V[1:]), "minima"),
    _window(_region("multiply"), "1.0", _PAIRS, _V, _V[:-1] * _V[1:], "products"),
    _window(
        _region("maximum"), "1.0", _PAIRS, _V, np.maximum(np.maximum(_V[:-1], _V[1:]), 1), "with a start"
    ),
    _window(_GROWTH, "0.0", _PAIRS, _V, (1 + _V[:-1]) * (1 + _V[1:]) - 1, "any region"),
    _window(_region("add"), "0.0", _DILATED, _V, _SPREAD[_PLACES] + _SPREAD[_PLACES + 3], "dilated sums"),
    _window(
        _GROWTH,
        "0.0",
        _DILATED,
        _V,
        (1 + _SPREAD[_PLACES]) * (1 + _SPREAD[_PLACES + 3]) - 1,
        "any region, dilated",
    ),
    _window(_region("add"), "0.0", _POOLED, _M, array([[-0.75, 2.0], [3.75, -0.75]]), "padded"),
    _window(_GROWTH, "0.0", _POOLED, _M, array([[-0.375 - 1.0, 2.0], [4.625, -0.75]]), "any region, padded"),
    _window(
        _region("multiply"), "2.0", _POOLED, _M, array([[-1.25, 4.0], [1.75, -1.5]]), "padded, with a start"
    ),
    _window(_region("add"), "0.0", _UP_TO, _V, np.cumsum(_V), "cumulative sums"),
    _window(_region("add"), "0.0", _FROM, _V, np.cumsum(_V[::-1])[::-1], "cumulative sums from the end"),
    _window(_region("multiply"), "1.0", _UP_TO, _V, np.cumprod(_V), "cumulative products"),
    _window(_region("maximum"), _HIGHEST, _UP_TO, _V, np.maximum.accumulate(_V), "cumulative maxima"),
    _window(
        _region("minimum"),
        "0x7FF0000000000000",
        _FROM,
        _V,
        np.minimum.accumulate(_V[::-1])[::-1],
        "from the end",
    ),
    _window(_LOG_ADD, _HIGHEST, _UP_TO, _V, np.logaddexp.accumulate(_V), "cumulative log-sum-exp"),
    _window(
        _region("add"), "2.0", _UP_TO, _V, np.cumsum(_V) + 2.0, "cumulative sums of a start", smooth=False
    ),
    _window(_region("add"), "0.0", _PAIRS, np.zeros(1), np.zeros(0), "no window", smooth=False),
    Case(
        "stablehlo.reduce_window",
        f"""%start = stablehlo.constant dense<{_HIGHEST}> : tensor<f64>
        %first = stablehlo.constant dense<0> : tensor<i32>
        %places = stablehlo.iota dim = 0 : tensor<5xi32>
        %r:2 = "stablehlo.reduce_window"(%a, %places, %start, %first) {_ARGMAX}
          {{window_dimensions = array<i64: 3>}}
          : ($a, tensor<5xi32>, tensor<f64>, tensor<i32>) -> ($r0, $r1)""",
        (_V,),
        (array([2.0, 3.5, 3.5]), array([2, 3, 3], np.int32)),
        "two arrays",
        smooth=True,
    ),
)


def _select_and_scatter(
    select: str, scatter: str, start: str, attributes: str, expected: Any, label: str, smooth: bool = True
) -> Case:
    body = f"""%start = stablehlo.constant dense<{start}> : tensor<f64>
    %r = "stablehlo.select_and_scatter"(%a, %b, %start) ({{
      ^bb0(%x: tensor<f64>, %y: tensor<f64>):
        %p = stablehlo.compare {select}, %x, %y : (tensor<f64>, tensor<f64>) -> tensor<i1>
        stablehlo.return %p : tensor<i1>
    }}, {{
      ^bb0(%x: tensor<f64>, %y: tensor<f64>):
        %q = stablehlo.{scatter} %x, %y : tensor<f64>
        stablehlo.return %q : tensor<f64>
    }}) {{{attributes}}} : ($a, $b, tensor<f64>) -> $r"""
    source = array([10.0, 20.0])
    operand = array([1.0, 5.0, 2.0, 4.0, 5.0])
    return Case("stablehlo.select_and_scatter", body, (operand, source), (expected,), label, 0.0, smooth)


_TRIPLES: Final = "window_dimensions = array<i64: 3>, window_strides = array<i64: 2>"
_WITH_EDGE: Final = (
    "window_dimensions = array<i64: 4>, window_strides = array<i64: 3>, "
    "padding = dense<[[1, 2]]> : tensor<1x2xi64>"
)
_SELECTIONS: Final = (
    _select_and_scatter("GE", "add", "0.0", _TRIPLES, array([0.0, 10, 0, 0, 20]), "greatest, add"),
    _select_and_scatter("GE", "add", "1.0", _TRIPLES, array([1.0, 11, 1, 1, 21]), "greatest, add to a start"),
    _select_and_scatter("LE", "add", "0.0", _TRIPLES, array([10.0, 0, 20, 0, 0]), "least, add"),
    _select_and_scatter("GT", "add", "0.0", _TRIPLES, array([0.0, 10, 0, 0, 20]), "strictly greater"),
    _select_and_scatter(
        "GE", "multiply", "2.0", _TRIPLES, array([2.0, 20, 2, 2, 40]), "multiply", smooth=False
    ),
    _select_and_scatter(
        "LT", "maximum", "15.0", _TRIPLES, array([15.0, 15, 20, 15, 15]), "maximum", smooth=False
    ),
    _select_and_scatter(
        "GT", "subtract", "0.0", _WITH_EDGE, array([0.0, -10, 0, 0, -20]), "padded, any region"
    ),
)
_KEYS: Final = array([[2.0, 1.0, 2.0, -1.0], [0.5, 9.0, -0.0, 0.25]])
_ITEMS: Final = np.arange(8, dtype=np.int32).reshape(2, 4)
_DISTINCT: Final = _KEYS + _ITEMS / 16


def _sort(
    lines: str, axis: int, inputs: tuple[Any, ...], order: Any, label: str, smooth: bool = False
) -> Case:
    """A stable sort of one or two arrays, whose first elements are `%x` and `%y`."""
    kinds = [{"f": "f64", "i": "i32", "u": "ui8"}[value.dtype.kind] for value in inputs]
    pairs = zip((("x", "y"), ("v", "w")), kinds, strict=False)
    arguments = ", ".join(f"%{name}: tensor<{kind}>" for names, kind in pairs for name in names)
    several = len(inputs) > 1
    operands, types = ("%a, %b", "$a, $b") if several else ("%a", "$a")
    body = f"""%r{":2" if several else ""} = "stablehlo.sort"({operands}) ({{
      ^bb0({arguments}):
        {lines}
        stablehlo.return %p : tensor<i1>
    }}) {{dimension = {axis} : i64, is_stable = true}} : ({types}) -> ({types})"""
    expected = tuple(np.take_along_axis(value, order, axis) for value in inputs)
    return Case("stablehlo.sort", body, inputs, expected, label, smooth=smooth)


def _by(direction: str, kind: str = "f64", rest: str = "") -> str:
    return (
        f"%p = stablehlo.compare {direction}, %x, %y{rest} : (tensor<{kind}>, tensor<{kind}>) -> tensor<i1>"
    )


_BY_SQUARE: Final = f"""%s = stablehlo.multiply %x, %x : tensor<f64>
  %t = stablehlo.multiply %y, %y : tensor<f64>
  {_by("GT").replace("%x, %y", "%s, %t")}"""
_NUMBERS: Final = array([np.nan, -0.0, 0.0, -np.inf, 1.0])
_SORTS: Final = (
    _sort(_by("LT"), 1, (_DISTINCT,), np.argsort(_DISTINCT, 1), "ascending", smooth=True),
    _sort(
        _by("GT"),
        1,
        (_DISTINCT, _ITEMS),
        np.argsort(-_DISTINCT, 1),
        "descending, with another",
        smooth=True,
    ),
    _sort(_by("GT"), 1, (_KEYS, _ITEMS), np.argsort(-_KEYS, 1, kind="stable"), "descending, equal ones"),
    _sort(_by("LT"), 0, (_KEYS, _ITEMS), np.argsort(_KEYS, 0, kind="stable"), "along the first axis"),
    _sort(_by("GT", "ui8"), 0, (array([3, 200, 7], np.uint8),), array([1, 2, 0]), "unsigned, descending"),
    _sort(_BY_SQUARE, 1, (_KEYS, _ITEMS), np.argsort(-(_KEYS**2), 1, kind="stable"), "by any comparison"),
    _sort(_by("LT", rest=", TOTALORDER"), 0, (_NUMBERS,), array([3, 1, 2, 4, 0]), "in the total order"),
    _sort(_by("LT"), 1, (np.zeros((3, 0)),), np.zeros((3, 0), int), "nothing"),
)
CASES: Final = (*_REDUCTIONS, *_WINDOWED, *_SELECTIONS, *_SORTS)
