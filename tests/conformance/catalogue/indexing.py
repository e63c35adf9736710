"""Parts of arrays, read and written."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from conformance.case import Case
from numpy import array

_X: Final = array([0.5, -1.25, 2.0, 3.5])
_M: Final = np.arange(12.0).reshape(3, 4)
_C: Final = np.arange(24.0).reshape(2, 3, 4)

_SLICES: Final = (
    Case(
        "stablehlo.slice",
        "%r = stablehlo.slice %a [0:3:2, 1:4] : ($a) -> $r",
        (_M,),
        (_M[::2, 1:],),
        smooth=True,
    ),
    Case(
        "stablehlo.slice",
        "%r = stablehlo.slice %a [2:2, 0:4:3] : ($a) -> $r",
        (_M,),
        (_M[2:2, ::3],),
        "empty",
    ),
    *(
        Case(
            "stablehlo.dynamic_slice",
            "%r = stablehlo.dynamic_slice %a, %b, %c, sizes = [2, 3] : ($a, $b, $c) -> $r",
            (_M, array(row, dtype), array(column, dtype)),
            (_M[first : first + 2, second : second + 3],),
            f"at {row}, {column}",
            smooth=row == -5,
        )
        for row, column, first, second, dtype in (
            (-5, 0, 0, 0, np.int64),
            (9, 2, 1, 1, np.int32),
            (1, 200, 1, 1, np.uint8),
        )
    ),
    *(
        Case(
            "stablehlo.dynamic_update_slice",
            "%r = stablehlo.dynamic_update_slice %a, %b, %c : ($a, $b, $c) -> $r",
            (_X, array([8.0, 9.0]), array(start)),
            (np.concatenate([_X[:first], [8.0, 9.0], _X[first + 2 :]]),),
            f"at {start}",
            smooth=True,
        )
        for start, first in ((1, 1), (-3, 0), (7, 2))
    ),
)


def _gather(numbers: str, sizes: str, operand: Any, indices: Any, expected: Any, label: str) -> Case:
    body = f"""%r = "stablehlo.gather"(%a, %b) {{
      dimension_numbers = #stablehlo.gather<{numbers}>,
      slice_sizes = array<i64: {sizes}>, indices_are_sorted = false
    }} : ($a, $b) -> $r"""
    return Case("stablehlo.gather", body, (operand, indices), (expected,), label, smooth=True)


_PAIRS: Final = array([[0, 1, 5], [3, -4, 2]])
_GATHERS: Final = (
    _gather(
        "collapsed_slice_dims = [0, 1], start_index_map = [0, 1], index_vector_dim = 0",
        "1, 1",
        _M,
        _PAIRS,
        array([_M[0, 3], _M[1, 0], _M[2, 2]]),
        "index vectors first, clamped",
    ),
    _gather(
        "offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1",
        "1, 4",
        _M,
        array([[2], [0]], np.int32),
        _M[[2, 0]],
        "rows",
    ),
    _gather(
        "offset_dims = [0, 1], start_index_map = [1, 0], index_vector_dim = 0",
        "2, 3",
        _M,
        array([3, 1], np.uint8),
        _M[1:3, 1:4],
        "one window, clamped, axes swapped",
    ),
    _gather(
        "offset_dims = [1], collapsed_slice_dims = [1], operand_batching_dims = [0], "
        "start_indices_batching_dims = [1], start_index_map = [1], index_vector_dim = 2",
        "1, 1, 4",
        _C,
        array([[[2], [0]], [[1], [9]], [[0], [1]]]),
        np.stack([[_C[batch, min(i, 2)] for batch, i in enumerate(row)] for row in ([2, 0], [1, 9], [0, 1])])
        .swapaxes(1, 1)
        .transpose(0, 2, 1),
        "batches",
    ),
    _gather(
        "collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1",
        "1",
        _X,
        np.zeros((0, 1), np.int64),
        np.zeros(0),
        "nothing",
    ),
)
_TORCH: Final = (
    Case(
        "stablehlo.torch_index_select",
        '%r = "stablehlo.torch_index_select"(%a, %b) {dim = 1 : i64, batch_dims = 0 : i64} : ($a, $b) -> $r',
        (_C, array([2, 0], np.int32)),
        (_C[:, [2, 0]],),
        smooth=True,
    ),
    Case(
        "stablehlo.torch_index_select",
        '%r = "stablehlo.torch_index_select"(%a, %b) {dim = 2 : i64, batch_dims = 1 : i64} : ($a, $b) -> $r',
        (_C, array([[2, 0], [1, 1]])),
        (np.stack([_C[0][:, [2, 0]], _C[1][:, [1, 1]]]),),
        "batches",
    ),
)

_ONE: Final = "inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1"
_I: Final = array([[1], [9], [1], [-1]])
_U: Final = array([1.0, 100.0, 3.0, 50.0])


def _scatter(
    region: str,
    inputs: tuple[Any, ...],
    expected: tuple[Any, ...],
    label: str,
    numbers: str = _ONE,
    unique: bool = False,
    smooth: bool = False,
    element: str = "f64",
) -> Case:
    count = len(expected)
    names = [f"%{letter}" for letter, _ in zip("abcdefg", inputs, strict=False)]
    types = [f"${letter}" for letter, _ in zip("abcdefg", inputs, strict=False)]
    kinds = [element] * count if "|" not in element else element.split("|")
    arguments = [f"%x{n}: tensor<{kind}>" for n, kind in enumerate(kinds)]
    arguments += [f"%u{n}: tensor<{kind}>" for n, kind in enumerate(kinds)]
    results = ", ".join(f"$r{n}" for n in range(count))
    body = f"""%r{f":{count}" if count > 1 else ""} = "stablehlo.scatter"({", ".join(names)}) ({{
      ^bb0({", ".join(arguments)}):
        {region}
    }}) {{scatter_dimension_numbers = #stablehlo.scatter<{numbers}>,
      indices_are_sorted = false, unique_indices = {str(unique).lower()}
    }} : ({", ".join(types)}) -> ({results})"""
    return Case("stablehlo.scatter", body, inputs, expected, label, smooth=smooth)


def _binary(name: str, kind: str = "f64") -> str:
    return f"%s = stablehlo.{name} %x0, %u0 : tensor<{kind}>\n stablehlo.return %s : tensor<{kind}>"


_AFFINE: Final = """%h = stablehlo.constant dense<0.5> : tensor<f64>
  %p = stablehlo.multiply %x0, %h : tensor<f64>
  %s = stablehlo.add %p, %u0 : tensor<f64>
  stablehlo.return %s : tensor<f64>"""
_BOTH: Final = """%s = stablehlo.add %x0, %u0 : tensor<f64>
  %p = stablehlo.multiply %x1, %u0 : tensor<f64>
  stablehlo.return %s, %p : tensor<f64>, tensor<f64>"""
_WINDOWS: Final = "update_window_dims = [0, 2], scatter_dims_to_operand_dims = [0, 1], index_vector_dim = 1"
_BATCHED: Final = (
    "inserted_window_dims = [1], input_batching_dims = [0], scatter_indices_batching_dims = [0], "
    "scatter_dims_to_operand_dims = [1], index_vector_dim = 2"
)
_PLACED: Final = np.zeros((3, 4))
_PLACED[1:3, 0:2] = [[1.0, 2.0], [3.0, 4.0]]
_SCATTERS: Final = (
    _scatter(_binary("add"), (_X, _I, _U), (array([0.5, 2.75, 2.0, 3.5]),), "add", smooth=True),
    _scatter(_binary("subtract"), (_X, _I, _U), (array([0.5, -5.25, 2.0, 3.5]),), "subtract", smooth=True),
    _scatter(_binary("multiply"), (_X, _I, _U), (array([0.5, -3.75, 2.0, 3.5]),), "multiply"),
    _scatter(_binary("maximum"), (_X, _I, _U), (array([0.5, 3.0, 2.0, 3.5]),), "maximum"),
    _scatter(_binary("minimum"), (_X, _I, _U), (array([0.5, -1.25, 2.0, 3.5]),), "minimum"),
    _scatter(
        "stablehlo.return %u0 : tensor<f64>",
        (_X, array([[1], [9], [3]]), _U[:3]),
        (array([0.5, 1.0, 2.0, 3.0]),),
        "replace",
        unique=True,
        smooth=True,
    ),
    _scatter(_AFFINE, (_X, _I, _U), (array([0.5, 3.1875, 2.0, 3.5]),), "any region, one by one", smooth=True),
    _scatter(
        _AFFINE,
        (_X, array([[1], [9], [3]]), _U[:3]),
        (array([0.5, 0.375, 2.0, 4.75]),),
        "any region, at once",
        unique=True,
        smooth=True,
    ),
    _scatter(
        _binary("add", "i1"),
        (array([True, False, False]), array([[1], [0]]), array([True, False])),
        (array([True, True, False]),),
        "or",
        element="i1",
    ),
    _scatter(
        _binary("xor", "i32"),
        (array([1, 2, 3], np.int32), array([[1], [1]]), array([1, 4], np.int32)),
        (array([1, 7, 3], np.int32),),
        "exclusive or",
        element="i32",
    ),
    _scatter(
        _BOTH,
        (_X, np.ones(4), _I, _U, _U),
        (array([0.5, 2.75, 2.0, 3.5]), array([1.0, 3.0, 1.0, 1.0])),
        "two arrays",
        smooth=True,
    ),
    _scatter(
        _binary("add"),
        (
            np.zeros((3, 4)),
            array([[1, 0], [2, 3]]),
            array([[[1.0, 2.0], [9.0, 9.0]], [[3.0, 4.0], [9.0, 9.0]]]),
        ),
        (_PLACED,),
        "windows, one of which does not fit in",
        _WINDOWS,
    ),
    _scatter(
        _AFFINE,
        (
            np.zeros((3, 4)),
            array([[1, 0], [2, 3]]),
            array([[[1.0, 2.0], [9.0, 9.0]], [[3.0, 4.0], [9.0, 9.0]]]),
        ),
        (_PLACED,),
        "windows of any region",
        _WINDOWS,
    ),
    *(
        _scatter(
            region,
            (np.ones((2, 3)), array([[[2], [0]], [[1], [7]]]), array([[1.0, 2.0], [3.0, 4.0]])),
            (array([[2 + one, one, 1 + one], [one, 3 + one, one]]) + array(rest),),
            label,
            _BATCHED,
        )
        for region, one, rest, label in (
            (_binary("add"), 1.0, [[0.0] * 3] * 2, "batches"),
            (_AFFINE, 0.5, [[0.0, 0.5, 0.0], [0.5, 0.0, 0.5]], "batches of any region"),
        )
    ),
    _scatter(_AFFINE, (_X, np.zeros((0, 1), np.int32), np.zeros(0)), (_X,), "nothing"),
)
CASES: Final = (*_SLICES, *_GATHERS, *_TORCH, *_SCATTERS)
