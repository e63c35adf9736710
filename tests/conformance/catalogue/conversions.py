"""Changes of the element type, and of the shape."""

from __future__ import annotations

from typing import Any, Final

import ml_dtypes
import numpy as np
from conformance.case import Case
from numpy import array

_M: Final = np.arange(6.0).reshape(2, 3)
_E4M3: Final = ml_dtypes.float8_e4m3fn


def _convert(value: Any, expected: Any, label: str = "") -> Case:
    return Case("stablehlo.convert", "%r = stablehlo.convert %a : ($a) -> $r", (value,), (expected,), label)


def _bits(value: Any, expected: Any) -> Case:
    body = "%r = stablehlo.bitcast_convert %a : ($a) -> $r"
    return Case("stablehlo.bitcast_convert", body, (value,), (expected,), str(expected.dtype))


_CONVERSIONS: Final = (
    _convert(array([1.9, -1.9, np.nan, 1e20]), array([1, -1, 0, 2**31 - 1], np.int32), "saturates"),
    _convert(array([300, -1], np.int32), array([44, 255], np.uint8), "wraps"),
    _convert(array([0.0, 0.5, np.nan]), array([False, True, True]), "to truth"),
    _convert(array([True, False]), array([1.0, 0.0])),
    _convert(array([1 + 2j, -3j]), array([1.0, 0.0]), "drops the imaginary part"),
    _convert(array([1.5, -2.0]), array([1.5 + 0j, -2.0])),
    _convert(array([1 + 2j]), array([1 + 2j], np.complex64)),
    _convert(array([1.1, 1000.0, -0.07]), array([1.1, np.nan, -0.07]).astype(_E4M3)),
    _convert(array([1.1, 3.14159]), array([1.1, 3.14159]).astype(ml_dtypes.bfloat16)),
    _convert(array([5, -8]).astype(ml_dtypes.int4), array([5, -8], np.int32)),
    _convert(array([1, -2, 0]).astype(ml_dtypes.int2), array([1.0, -2.0, 0.0], np.float32)),
    _convert(array([3, 1], np.int32), array([3, 1]).astype(ml_dtypes.uint2)),
    _convert(array([2.6, -0.4], np.float32), array([3.0, -0.5]).astype(ml_dtypes.float4_e2m1fn)),
    _convert(array([2.6, 0.4], np.float32), array([2.0, 0.5]).astype(ml_dtypes.float8_e8m0fnu)),
    _convert(array([2.6, 0.4], np.float32), array([2.6, 0.4]).astype(ml_dtypes.float8_e3m4)),
    _convert(array([2.6, 0.4], np.float32), array([2.6, 0.4]).astype(ml_dtypes.float8_e4m3)),
    _convert(array([2.6, 0.4], np.float32), array([2.6, 0.4]).astype(ml_dtypes.float8_e5m2fnuz)),
    _convert(array([2.6, 0.4], np.float32), array([2.6, 0.4]).astype(ml_dtypes.float8_e4m3b11fnuz)),
    _convert(np.zeros((0, 2)), np.zeros((0, 2), np.int8), "empty"),
    _bits(_M, _M.view(np.uint64)),
    _bits(array([1.5, -2.0], np.float32), array([1.5, -2.0], np.float32).view(np.int32)),
    _bits(_M[0], _M[0].view(np.uint16).reshape(3, 4)),
    _bits(np.arange(8, dtype=np.uint8).reshape(2, 4), np.arange(8, dtype=np.uint8).view(np.uint32)),
    _bits(array([1.5, 2.0], np.float16), array([1.5, 2.0], np.float16).view(ml_dtypes.bfloat16)),
    _bits(array([0x21, 0xF8], np.uint8), array([[1, 2], [8, 15]]).astype(ml_dtypes.uint4)),
    _bits(array([[1, 2], [8, 15]]).astype(ml_dtypes.uint4), array([0x21, -8], np.int8)),
    _bits(array([True, False]), array([True, False])),
    _bits(array([1 + 2j]), array([1 + 2j])),
)


def _line(name: str, rest: str, inputs: Any, expected: Any, label: str = "", smooth: bool = False) -> Case:
    return Case(f"stablehlo.{name}", f"%r = stablehlo.{name} {rest}", inputs, (expected,), label, 0.0, smooth)


_P: Final = array([0.5, -1.25, 2.0])
_SHAPES: Final = (
    _line("broadcast", "%a, sizes = [2] : ($a) -> $r", (_P,), np.tile(_P, (2, 1)), smooth=True),
    _line(
        "broadcast_in_dim",
        "%a, dims = [2, 0] : ($a) -> $r",
        (array([[1.0], [2.0]]),),
        np.broadcast_to(array([1.0, 2.0]), (3, 4, 2)),
        smooth=True,
    ),
    _line("broadcast_in_dim", "%a, dims = [] : ($a) -> $r", (array(1.5),), np.full((2, 0), 1.5), "empty"),
    _line("reshape", "%a : ($a) -> $r", (_M,), _M.reshape(3, 1, 2), smooth=True),
    _line("transpose", "%a, dims = [1, 0] : ($a) -> $r", (_M,), _M.T, smooth=True),
    _line("reverse", "%a, dims = [0, 1] : $a", (_M,), _M[::-1, ::-1], smooth=True),
    _line(
        "concatenate",
        "%a, %b, %a, dim = 1 : ($a, $b, $a) -> $r",
        (_M, np.ones((2, 1))),
        np.hstack([_M, np.ones((2, 1)), _M]),
        smooth=True,
    ),
    _line(
        "pad",
        "%a, %b, low = [1], high = [-1], interior = [1] : ($a, $b) -> $r",
        (_P, array(9.0)),
        array([9.0, 0.5, 9.0, -1.25, 9.0]),
        "negative and interior",
        smooth=True,
    ),
    _line(
        "pad",
        "%a, %b, low = [-1, 0], high = [-1, 2], interior = [0, 0] : ($a, $b) -> $r",
        (_M, array(9.0)),
        np.zeros((0, 5)),
        "to nothing",
    ),
    _line("get_dimension_size", "%a, dim = 1 : ($a) -> $r", (_M,), array(3, np.int32)),
    Case(
        "stablehlo.set_dimension_size",
        """%n = stablehlo.constant dense<3> : tensor<i32>
        %r = stablehlo.set_dimension_size %a, %n, dim = 1 : ($a, tensor<i32>) -> $r""",
        (_M,),
        (_M,),
        "to the size that it has",
    ),
)
_CREATIONS: Final = (
    _line("iota", "dim = 1 : $r", (), np.broadcast_to(np.arange(4, dtype=np.int32), (2, 4))),
    _line("iota", "dim = 0 : $r", (), np.arange(3) + 0j, "complex"),
    _line("iota", "dim = 0 : $r", (), np.arange(5).astype(ml_dtypes.bfloat16)),
    _line("constant", "dense<[1.5, -2.5]> : $r", (), array([1.5, -2.5])),
    _line("constant", "dense<3> : $r", (), np.full((20, 2), 3, np.uint8), "equal elements"),
    _line("constant", "dense<[[true, false], [false, true]]> : $r", (), np.eye(2, dtype=bool)),
    _line("constant", "dense<[(1.0, 2.0), (0.0, -1.0)]> : $r", (), array([1 + 2j, -1j])),
    _line(
        "constant", "dense<[1.0, 0x7F80, -3.0]> : $r", (), array([1, np.inf, -3]).astype(ml_dtypes.bfloat16)
    ),
    _line("constant", "dense<[1.0, -2.0]> : $r", (), array([1, -2]).astype(_E4M3), "float8"),
    _line("constant", "dense<[1.5, -6.0]> : $r", (), array([1.5, -6]).astype(ml_dtypes.float4_e2m1fn)),
    _line("constant", "dense<[7, -8]> : $r", (), array([7, -8]).astype(ml_dtypes.int4)),
    _line("constant", "dense<[1, -2]> : $r", (), array([1, -2]).astype(ml_dtypes.int2)),
    _line("constant", "dense<> : $r", (), np.zeros((0, 3), np.float32), "empty"),
    _line("constant", f'dense<"0x{"00FF" * 60}"> : $r', (), np.tile([False, True], 60), "truth as bytes"),
    _line(
        "constant", f'dense<"0x{"010F" * 60}"> : $r', (), np.tile([1, -1], 60).astype(ml_dtypes.int4), "bytes"
    ),
    _line("constant", f'dense<"0x{"0000C03F" * 60}"> : $r', (), np.full(60, 1.5, np.float32), "bytes"),
    Case(
        "stablehlo.constant",
        "%r = stablehlo.constant dense_resource<weights> : $r",
        (),
        (array([1.0, 2.0], np.float32),),
        "a resource",
        functions='{-# dialect_resources: {builtin: {weights: "0x040000000000803F00000040"}} #-}',
    ),
)
CASES: Final = (*_CONVERSIONS, *_SHAPES, *_CREATIONS)
