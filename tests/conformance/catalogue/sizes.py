"""Operations whose sizes are operands."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from conformance.case import Case
from numpy import array

_X: Final = array([0.5, -1.25, 2.0])
_M: Final = np.arange(6.0).reshape(2, 3)


def _dynamic(name: str, lines: str, inputs: Any, expected: Any, label: str, smooth: bool = False) -> Case:
    return Case(f"stablehlo.{name}", lines, inputs, (expected,), label, 1e-14, smooth)


_ROWS: Final = """%n = stablehlo.get_dimension_size %a, dim = 0 : ($a) -> tensor<i32>
  %k = stablehlo.reshape %n : (tensor<i32>) -> tensor<1xi32>
  %two = stablehlo.constant dense<2> : tensor<1xi32>"""
_PADDING: Final = """%low = stablehlo.constant dense<[1]> : tensor<1xi64>
  %high = stablehlo.constant dense<[-1]> : tensor<1xi64>
  %inner = stablehlo.constant dense<[1]> : tensor<1xi64>"""
CASES: Final = (
    _dynamic(
        "dynamic_broadcast_in_dim",
        f"""{_ROWS}
        %s = stablehlo.concatenate %two, %k, dim = 0 : (tensor<1xi32>, tensor<1xi32>) -> tensor<2xi32>
        %d = stablehlo.dynamic_broadcast_in_dim %a, %s, dims = [1] : ($a, tensor<2xi32>) -> tensor<?x?xf64>
        %e = stablehlo.cosine %d : tensor<?x?xf64>
        %r = stablehlo.convert %e : (tensor<?x?xf64>) -> $r""",
        (_X,),
        np.tile(np.cos(_X), (2, 1)),
        "open inside",
        smooth=True,
    ),
    _dynamic(
        "dynamic_broadcast_in_dim",
        """%s = stablehlo.constant dense<[2, 3]> : tensor<2xi64>
        %r = stablehlo.dynamic_broadcast_in_dim %a, %s, dims = [1] : ($a, tensor<2xi64>) -> $r""",
        (_X,),
        np.tile(_X, (2, 1)),
        "known outside",
    ),
    _dynamic(
        "dynamic_reshape",
        f"""{_ROWS}
        %s = stablehlo.concatenate %k, %two, dim = 0 : (tensor<1xi32>, tensor<1xi32>) -> tensor<2xi32>
        %c = stablehlo.concatenate %a, %a, dim = 0 : ($a, $a) -> tensor<6xf64>
        %d = stablehlo.dynamic_reshape %c, %s : (tensor<6xf64>, tensor<2xi32>) -> tensor<?x2xf64>
        %r = stablehlo.convert %d : (tensor<?x2xf64>) -> $r""",
        (_X,),
        np.tile(_X, 2).reshape(3, 2),
        "open inside",
        smooth=True,
    ),
    _dynamic(
        "dynamic_iota",
        f"""{_ROWS}
        %s = stablehlo.concatenate %two, %k, dim = 0 : (tensor<1xi32>, tensor<1xi32>) -> tensor<2xi32>
        %d = stablehlo.dynamic_iota %s, dim = 1 : (tensor<2xi32>) -> tensor<2x?xi64>
        %r = stablehlo.convert %d : (tensor<2x?xi64>) -> $r""",
        (_X,),
        np.tile(np.arange(3), (2, 1)),
        "open inside",
    ),
    _dynamic(
        "dynamic_pad",
        f"""{_PADDING}
        %r = stablehlo.dynamic_pad %a, %b, %low, %high, %inner
          : ($a, $b, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> $r""",
        (_X, array(9.0)),
        array([9.0, 0.5, 9.0, -1.25, 9.0]),
        "constants",
        smooth=True,
    ),
    _dynamic(
        "dynamic_pad",
        f"""{_PADDING}
        %d = stablehlo.dynamic_pad %a, %b, %low, %high, %inner
          : ($a, $b, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?xf64>
        %r = stablehlo.convert %d : (tensor<?xf64>) -> $r""",
        (_X, array(9.0)),
        array([9.0, 0.5, 9.0, -1.25, 9.0]),
        "open inside",
    ),
    _dynamic(
        "dynamic_gather",
        """%s = stablehlo.constant dense<[1, 3]> : tensor<2xi64>
        %r = "stablehlo.dynamic_gather"(%a, %b, %s) {
          dimension_numbers = #stablehlo.gather<
            offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>,
          indices_are_sorted = false
        } : ($a, $b, tensor<2xi64>) -> $r""",
        (_M, array([[1], [0], [7]])),
        _M[[1, 0, 1]],
        "rows",
        smooth=True,
    ),
    _dynamic(
        "dynamic_conv",
        """%p = stablehlo.constant dense<[[1, 0]]> : tensor<1x2xi64>
        %r = "stablehlo.dynamic_conv"(%a, %b, %p) {
          dimension_numbers = #stablehlo.conv<[b, 0, f]x[0, i, o]->[b, 0, f]>,
          feature_group_count = 1 : i64, batch_group_count = 1 : i64
        } : ($a, $b, tensor<1x2xi64>) -> $r""",
        (_X.reshape(1, 3, 1), array([2.0, -1.0]).reshape(2, 1, 1)),
        array([-0.5, 2.25, -4.5]).reshape(1, 3, 1),
        "padded",
        smooth=True,
    ),
    _dynamic(
        "real_dynamic_slice",
        """%start = stablehlo.constant dense<[0, 1]> : tensor<2xi64>
        %end = stablehlo.constant dense<[2, 3]> : tensor<2xi64>
        %step = stablehlo.constant dense<[2, 1]> : tensor<2xi64>
        %r = stablehlo.real_dynamic_slice %a, %start, %end, %step
          : ($a, tensor<2xi64>, tensor<2xi64>, tensor<2xi64>) -> $r""",
        (_M,),
        _M[::2, 1:],
        "constants",
        smooth=True,
    ),
    _dynamic(
        "real_dynamic_slice",
        """%long = stablehlo.constant dense<2> : tensor<1xi64>
        %step = stablehlo.constant dense<1> : tensor<1xi64>
        %end = stablehlo.add %b, %long : tensor<1xi64>
        %r = stablehlo.real_dynamic_slice %a, %b, %end, %step
          : ($a, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> $r""",
        (_X, array([1])),
        _X[1:],
        "from where an argument says",
    ),
)
