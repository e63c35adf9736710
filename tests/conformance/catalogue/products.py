"""Products summed over axes, linear algebra, and normalization."""

from __future__ import annotations

from typing import Any, Final

import ml_dtypes
import numpy as np
from conformance.case import Case
from numpy import array

_A: Final = np.arange(6.0).reshape(2, 3) - 2.5
_B: Final = np.arange(12.0).reshape(3, 4) / 4 - 1
_BATCH: Final = np.arange(24.0).reshape(2, 3, 4) / 8 - 1
_ROUNDED: Final = 1e-13


def _dot(rest: str, left: Any, right: Any, expected: Any, label: str = "", smooth: bool = False) -> Case:
    body = f"%r = stablehlo.dot_general %a, %b, {rest} : ($a, $b) -> $r"
    return Case("stablehlo.dot_general", body, (left, right), (expected,), label, _ROUNDED, smooth)


_F32: Final = (_A.astype(np.float32), _B.astype(np.float32))
_THIRD: Final = np.full((1, 1), np.float32(1 / 3))
_TF32: Final = np.float32(1365 / 4096) ** 2
_ALGORITHM: Final = (
    "contracting_dims = [1] x [0], algorithm = <lhs_precision_type = {0}, rhs_precision_type = {0}, "
    "accumulation_type = f32, lhs_component_count = 1, rhs_component_count = 1, "
    "num_primitive_operations = {1}, allow_imprecise_accumulation = false>"
)
_DOTS: Final = (
    _dot("contracting_dims = [1] x [0], precision = [HIGHEST, DEFAULT]", _A, _B, _A @ _B, "precision", True),
    _dot(
        "batching_dims = [0] x [2], contracting_dims = [2, 1] x [0, 1]",
        _BATCH,
        np.transpose(_BATCH, (2, 1, 0)) + 1,
        array([np.sum(_BATCH[n] * (_BATCH[n] + 1)) for n in range(2)]),
        "batches",
        smooth=True,
    ),
    _dot("contracting_dims = [] x []", array([1.0, 2.0]), array([3.0, 4.0]), np.outer([1.0, 2], [3.0, 4])),
    _dot("contracting_dims = [1] x [0]", np.zeros((2, 0)), np.zeros((0, 3)), np.zeros((2, 3)), "nothing"),
    _dot(
        "contracting_dims = [0] x [0]",
        array([100, -100], np.int8),
        array([100, 100], np.int8),
        array(0, np.int32),
        "wider result",
    ),
    _dot(
        "contracting_dims = [0] x [0]",
        array([200, 3], np.uint8),
        array([2, 1], np.uint8),
        array(147, np.uint8),
    ),
    _dot("contracting_dims = [0] x [0]", array([1 + 2j, 1j]), array([1j, 2.0]), array(-2 + 3j), "complex"),
    _dot("contracting_dims = [0] x [0]", array([True, False]), array([True, True]), array(True), "truth"),
    _dot(
        "contracting_dims = [0] x [0]",
        array([1.5, 2.0]).astype(ml_dtypes.float8_e4m3fn),
        array([2.0, 0.5]).astype(ml_dtypes.float8_e5m2),
        array(4.0, np.float32),
        "two types",
    ),
    _dot(
        "contracting_dims = [0] x [0]",
        array([1.5, 2.0]).astype(ml_dtypes.bfloat16),
        array([2.0, 0.5]).astype(ml_dtypes.bfloat16),
        array(4.0, np.float32),
        "wider result",
    ),
    _dot(
        "contracting_dims = [0] x [0]",
        array([1.5, 2.0], np.float32),
        array([2.0, 0.5], np.float32),
        array(4.0, np.float16),
        "narrower result",
    ),
    _dot(
        "contracting_dims = [0] x [0]",
        array([7, -8]).astype(ml_dtypes.int4),
        array([2, 1]).astype(ml_dtypes.int4),
        array(6, np.int32),
    ),
    _dot(_ALGORITHM.format("tf32", 1), _THIRD, _THIRD, np.full((1, 1), _TF32), "TF32"),
    _dot(_ALGORITHM.format("bf16", 3), _THIRD, _THIRD, _THIRD * _THIRD, "BF16 in three parts"),
    Case(
        "stablehlo.dot",
        "%r = stablehlo.dot %a, %b : ($a, $b) -> $r",
        (_A, _B),
        (_A @ _B,),
        rtol=_ROUNDED,
        smooth=True,
    ),
    Case(
        "stablehlo.dot",
        "%r = stablehlo.dot %a, %b, precision = [DEFAULT, DEFAULT] : ($a, $b) -> $r",
        (_B[:, 0], _B),
        (_B[:, 0] @ _B,),
        "a vector",
        _ROUNDED,
    ),
    Case(
        "stablehlo.einsum",
        '%r = "stablehlo.einsum"(%a, %b) {einsum_config = "ij,jk->ki"} : ($a, $b) -> $r',
        (_A, _B),
        ((_A @ _B).T,),
        rtol=_ROUNDED,
        smooth=True,
    ),
    Case(
        "stablehlo.unary_einsum",
        '%r = "stablehlo.unary_einsum"(%a) {einsum_config = "bij->jb"} : ($a) -> $r',
        (_BATCH,),
        (_BATCH.sum(1).T,),
        rtol=_ROUNDED,
        smooth=True,
    ),
)

_IMAGE: Final = np.arange(20.0).reshape(1, 1, 4, 5) / 10 - 1
_KERNEL: Final = array([[[[1.0, -2.0, 0.5], [0.25, 3.0, -1.0]]]])


def _convolve(image: Any, kernel: Any, stride: tuple[int, int] = (1, 1)) -> Any:
    """The plain sum over all windows of one image and one kernel that fit in."""
    rows, columns = (image.shape[n] - kernel.shape[n] for n in range(2))
    return array(
        [
            [
                np.sum(image[i : i + kernel.shape[0], j : j + kernel.shape[1]] * kernel)
                for j in range(0, columns + 1, stride[1])
            ]
            for i in range(0, rows + 1, stride[0])
        ]
    )


def _convolution(
    window: str, inputs: Any, expected: Any, label: str, groups: tuple[int, int] = (1, 1), smooth: bool = True
) -> Case:
    layout = "[b, f, 0, 1]x[o, i, 0, 1]->[b, f, 0, 1]"
    body = f"""%r = stablehlo.convolution(%a, %b) dim_numbers = {layout}, window = {{{window}}}
      {{feature_group_count = {groups[0]} : i64, batch_group_count = {groups[1]} : i64}} : ($a, $b) -> $r"""
    return Case("stablehlo.convolution", body, inputs, (expected,), label, _ROUNDED, smooth)


_PLANE, _FILTER = _IMAGE[0, 0], _KERNEL[0, 0]
_PADDED: Final = np.pad(_PLANE, ((1, 0), (0, 2)))
_SPREAD_PLANE: Final = np.zeros((7, 5))
_SPREAD_PLANE[::2] = _PLANE
_SPREAD_FILTER: Final = np.zeros((2, 5))
_SPREAD_FILTER[:, ::2] = _FILTER
_TWO: Final = np.concatenate([_IMAGE, 2 - _IMAGE], axis=1)
_FOUR: Final = np.concatenate([_KERNEL, -_KERNEL, _KERNEL + 1, 2 * _KERNEL], axis=0)
_CONVOLUTIONS: Final = (
    _convolution("", (_IMAGE, _KERNEL), _convolve(_PLANE, _FILTER)[None, None], "plain"),
    _convolution(
        "stride = [2, 1], pad = [[1, 0], [0, 2]]",
        (_IMAGE, _KERNEL),
        _convolve(_PADDED, _FILTER, (2, 1))[None, None],
        "stride and padding",
    ),
    _convolution(
        "pad = [[-1, 0], [0, -1]]",
        (_IMAGE, _KERNEL),
        _convolve(_PLANE[1:, :-1], _FILTER)[None, None],
        "negative padding",
    ),
    _convolution(
        "lhs_dilate = [2, 1], rhs_dilate = [1, 2]",
        (_IMAGE, _KERNEL),
        _convolve(_SPREAD_PLANE, _SPREAD_FILTER)[None, None],
        "dilations",
    ),
    _convolution(
        "reverse = [true, false]",
        (_IMAGE, _KERNEL),
        _convolve(_PLANE, _FILTER[::-1])[None, None],
        "reversal",
    ),
    _convolution(
        "",
        (_TWO, _FOUR),
        np.stack([_convolve(_TWO[0, n // 2], _FOUR[n, 0]) for n in range(4)])[None],
        "feature groups",
        groups=(2, 1),
    ),
    _convolution(
        "",
        (_TWO.reshape(2, 1, 4, 5), _FOUR),
        np.stack([_convolve(_TWO[0, n // 2], _FOUR[n, 0]) for n in range(4)])[None],
        "batch groups",
        groups=(1, 2),
    ),
    _convolution(
        "",
        (np.full((1, 1, 2, 3), 2, np.int8), np.full((1, 1, 2, 3), 100, np.int8)),
        np.full((1, 1, 1, 1), 1200, np.int32),
        "wider result",
        smooth=False,
    ),
    _convolution("", (np.zeros((0, 1, 4, 5)), _KERNEL), np.zeros((0, 1, 3, 3)), "nothing", smooth=False),
    Case(
        "stablehlo.convolution",
        """%r = stablehlo.convolution(%a, %b) dim_numbers = [b, f]x[i, o]->[f, b], window = {}
          {feature_group_count = 1 : i64, batch_group_count = 1 : i64} : ($a, $b) -> $r""",
        (_A, _B),
        ((_A @ _B).T,),
        "no spatial axes",
        _ROUNDED,
    ),
)

_SIGNAL: Final = array([[0.5, -1.25, 2.0, 0.75], [1.0, 3.0, -0.5, 0.25]])
_COMPLEX: Final = _SIGNAL + 1j * _SIGNAL[::-1]


def _fft(kind: str, lengths: str, value: Any, expected: Any, label: str = "") -> Case:
    body = f"%r = stablehlo.fft %a, type = {kind}, length = [{lengths}] : ($a) -> $r"
    return Case("stablehlo.fft", body, (value,), (expected,), f"{kind}{label}", 1e-12, smooth=True)


_FOURIER: Final = (
    _fft("FFT", "4", _COMPLEX, np.fft.fft(_COMPLEX)),
    _fft("IFFT", "2, 4", _COMPLEX, np.fft.ifft2(_COMPLEX), " of two axes"),
    _fft("RFFT", "4", _SIGNAL, np.fft.rfft(_SIGNAL)),
    _fft("IRFFT", "5", _COMPLEX[:, :3], np.fft.irfft(_COMPLEX[:, :3], 5), " to an odd length"),
    _fft(
        "RFFT", "2, 2, 2", _SIGNAL.reshape(2, 2, 2), np.fft.rfftn(_SIGNAL.reshape(2, 2, 2)), " of three axes"
    ),
)

_POSITIVE: Final = array([[4.0, 2.0], [2.0, 5.0]])
_TRIANGLE: Final = array([[2.0, 99.0], [1.0, 4.0]])
_RIGHT: Final = array([[1.0, 2.0, -1.0], [0.5, 3.0, 4.0]])


def _solve(attributes: str, left: Any, right: Any, expected: Any, label: str) -> Case:
    body = f'%r = "stablehlo.triangular_solve"(%a, %b) {{{attributes}}} : ($a, $b) -> $r'
    return Case("stablehlo.triangular_solve", body, (left, right), (expected,), label, _ROUNDED, smooth=True)


def _attributes(left: bool, lower: bool, unit: bool, transposition: str) -> str:
    flags = {"left_side": left, "lower": lower, "unit_diagonal": unit}
    stated = ", ".join(f"{name} = {str(flag).lower()}" for name, flag in flags.items())
    return f"{stated}, transpose_a = #stablehlo<transpose {transposition}>"


_LOWER: Final = np.tril(_TRIANGLE)
_ALGEBRA: Final = (
    Case(
        "stablehlo.cholesky",
        "%r = stablehlo.cholesky %a, lower = true : $a",
        (_POSITIVE,),
        (np.linalg.cholesky(_POSITIVE),),
        rtol=_ROUNDED,
        smooth=True,
    ),
    _solve(
        _attributes(True, True, False, "NO_TRANSPOSE"),
        _TRIANGLE,
        _RIGHT,
        np.linalg.solve(_LOWER, _RIGHT),
        "left",
    ),
    _solve(
        _attributes(False, True, False, "TRANSPOSE"),
        _TRIANGLE,
        _RIGHT.T,
        np.linalg.solve(_LOWER, _RIGHT).T,
        "right, transposed",
    ),
    _solve(
        _attributes(True, False, True, "ADJOINT"),
        array([[7.0, 2j], [9.0, 7.0]]),
        _RIGHT + 0j,
        np.linalg.solve(array([[1, 0], [-2j, 1]]), _RIGHT),
        "unit diagonal, adjoint",
    ),
)

_OPERAND: Final = np.arange(12.0).reshape(2, 2, 3) ** 1.5 / 7
_SCALE, _OFFSET = array([1.5, -0.5]), array([0.25, 2.0])
_MEAN: Final = _OPERAND.mean((0, 2))
_VARIANCE: Final = _OPERAND.var((0, 2))
_EPSILON: Final = 0.125


def _per_feature(values: Any) -> Any:
    return np.reshape(values, (1, 2, 1))


_DEVIATION: Final = np.sqrt(_VARIANCE + _EPSILON)
_NORMAL: Final = (_OPERAND - _per_feature(_MEAN)) / _per_feature(_DEVIATION)
_NORMALIZED: Final = _NORMAL * _per_feature(_SCALE) + _per_feature(_OFFSET)
_COTANGENT: Final = np.cos(_OPERAND)
_SETTINGS: Final = "{epsilon = 0.125 : f32, feature_index = 1 : i64}"
_REST: Final = _COTANGENT - _per_feature(_COTANGENT.mean((0, 2)))
_ALONG: Final = _NORMAL * _per_feature((_COTANGENT * _NORMAL).mean((0, 2)))
_NORMALIZATIONS: Final = (
    Case(
        "stablehlo.batch_norm_inference",
        f'%r = "stablehlo.batch_norm_inference"(%a, %b, %c, %d, %e) {_SETTINGS} : ($a, $b, $c, $d, $e) -> $r',
        (_OPERAND, _SCALE, _OFFSET, _MEAN, _VARIANCE),
        (_NORMALIZED,),
        rtol=_ROUNDED,
        smooth=True,
    ),
    Case(
        "stablehlo.batch_norm_training",
        f'%r:3 = "stablehlo.batch_norm_training"(%a, %b, %c) {_SETTINGS} : ($a, $b, $c) -> ($r0, $r1, $r2)',
        (_OPERAND, _SCALE, _OFFSET),
        (_NORMALIZED, _MEAN, _VARIANCE),
        rtol=_ROUNDED,
        smooth=True,
    ),
    Case(
        "stablehlo.batch_norm_grad",
        f"""%r:3 = "stablehlo.batch_norm_grad"(%a, %b, %c, %d, %e) {_SETTINGS}
          : ($a, $b, $c, $d, $e) -> ($r0, $r1, $r2)""",
        (_OPERAND, _SCALE, _MEAN, _VARIANCE, _COTANGENT),
        (
            _per_feature(_SCALE / _DEVIATION) * (_REST - _ALONG),
            (_COTANGENT * _NORMAL).sum((0, 2)),
            _COTANGENT.sum((0, 2)),
        ),
        rtol=1e-12,
        smooth=True,
    ),
)
CASES: Final = (*_DOTS, *_CONVOLUTIONS, *_FOURIER, *_ALGEBRA, *_NORMALIZATIONS)
