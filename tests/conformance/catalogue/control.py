"""Control flow, structure, and what is only a hint."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from conformance.case import Case
from numpy import array

_X: Final = array([0.5, -1.25, 2.0])
_T: Final = "tensor<3xf64>"


def _case(index: int, expected: Any) -> Case:
    return Case(
        "stablehlo.case",
        f"""%two = stablehlo.constant dense<2.0> : {_T}
        %r = "stablehlo.case"(%a) ({{
          %s = stablehlo.sine %b : {_T}
          stablehlo.return %s : {_T}
        }}, {{
          %s = stablehlo.add %b, %two : {_T}
          stablehlo.return %s : {_T}
        }}) : ($a) -> $r""",
        (array(index, np.int32), _X),
        (expected,),
        f"branch {index}",
        1e-14,
        smooth=True,
    )


def _if(which: bool, expected: Any) -> Case:
    return Case(
        "stablehlo.if",
        f"""%r:2 = "stablehlo.if"(%a) ({{
          %s = stablehlo.multiply %b, %b : {_T}
          stablehlo.return %s, %b : {_T}, {_T}
        }}, {{
          stablehlo.return %b, %b : {_T}, {_T}
        }}) : ($a) -> ($r0, $r1)""",
        (array(which), _X),
        (expected, _X),
        str(which),
        smooth=True,
    )


_CASES: Final = (
    _case(0, np.sin(_X)),
    _case(1, _X + 2),
    _case(9, _X + 2),
    _case(-1, _X + 2),
    Case(
        "stablehlo.case",
        f"""%r = "stablehlo.case"(%a) ({{
          stablehlo.return %b : {_T}
        }}) : ($a) -> $r""",
        (array(5, np.int32), _X),
        (_X,),
        "one branch",
    ),
    _if(True, _X * _X),
    _if(False, _X),
    Case(
        "stablehlo.while",
        f"""%zero = stablehlo.constant dense<0> : tensor<i64>
        %one = stablehlo.constant dense<1> : tensor<i64>
        %end = stablehlo.constant dense<3> : tensor<i64>
        %r:2 = stablehlo.while(%n = %zero, %y = %a) : tensor<i64>, {_T}
        cond {{
          %c = stablehlo.compare LT, %n, %end : (tensor<i64>, tensor<i64>) -> tensor<i1>
          stablehlo.return %c : tensor<i1>
        }} do {{
          %m = stablehlo.add %n, %one : tensor<i64>
          %z = stablehlo.multiply %y, %b : {_T}
          stablehlo.return %m, %z : tensor<i64>, {_T}
        }}""",
        (_X, _X + 1),
        (array(3), _X * (_X + 1) ** 3),
        "counted, of a value from outside",
        1e-14,
    ),
    Case(
        "func.call",
        f"""%y = func.call @square(%a) : ({_T}) -> {_T}
        %r = func.call @square(%y) : ({_T}) -> {_T}""",
        (_X,),
        (_X**4,),
        "twice",
        1e-14,
        smooth=True,
        functions=f"""func.func private @square(%x: {_T}) -> {_T} {{
          %y = stablehlo.multiply %x, %x : {_T}
          return %y : {_T}
        }}""",
    ),
    Case(
        "func.call",
        """%y:2 = func.call @constants() : () -> (tensor<f64>, tensor<2xi32>)
        %c = stablehlo.convert %y#1 : (tensor<2xi32>) -> tensor<2xf64>
        %s = stablehlo.broadcast_in_dim %y#0, dims = [] : (tensor<f64>) -> tensor<2xf64>
        %r = stablehlo.multiply %s, %c : tensor<2xf64>""",
        (),
        (array([1.5, -3.0]),),
        "without arguments",
        functions="""func.func private @constants() -> (tensor<f64>, tensor<2xi32>) {
          %x = stablehlo.constant dense<1.5> : tensor<f64>
          %y = stablehlo.constant dense<[1, -2]> : tensor<2xi32>
          return %x, %y : tensor<f64>, tensor<2xi32>
        }""",
    ),
    Case(
        "stablehlo.composite",
        f"""%r = stablehlo.composite "acme.square" %a {{
          composite_attributes = {{}}, decomposition = @square, version = 1 : i32}} : ({_T}) -> {_T}""",
        (_X,),
        (_X**2,),
        "of others",
        smooth=True,
        functions=f"""func.func private @square(%x: {_T}) -> {_T} {{
          %y = stablehlo.multiply %x, %x : {_T}
          return %y : {_T}
        }}""",
    ),
    Case(
        "stablehlo.optimization_barrier",
        "%r:2 = stablehlo.optimization_barrier %a, %b : $a, $b",
        (_X, array(3)),
        (_X, array(3)),
        smooth=True,
    ),
    Case(
        "stablehlo.custom_call",
        "%r = stablehlo.custom_call @Sharding(%a) : ($a) -> $r",
        (_X,),
        (_X,),
        "a placement",
        smooth=True,
    ),
    Case(
        "sdy.sharding_constraint",
        "%r = sdy.sharding_constraint %a <@mesh, [{}]> : $a",
        (_X,),
        (_X,),
        "a placement",
        smooth=True,
        functions='sdy.mesh @mesh = <["x"=1]>',
    ),
)
_NESTED: Final = f"tuple<{_T}, tuple<tensor<i32>, {_T}>>"
_STRUCTURE: Final = (
    Case(
        "stablehlo.tuple",
        f"""%inner = stablehlo.tuple %b, %a : tuple<tensor<i32>, {_T}>
        %outer = stablehlo.tuple %a, %inner : {_NESTED}
        %swapped = func.call @other(%outer) : ({_NESTED}) -> {_NESTED}
        %pair = stablehlo.get_tuple_element %swapped[1] : ({_NESTED}) -> tuple<tensor<i32>, {_T}>
        %r = stablehlo.get_tuple_element %pair[1] : (tuple<tensor<i32>, {_T}>) -> {_T}""",
        (_X, array(3, np.int32)),
        (2 * _X,),
        "in tuples, through a function",
        smooth=True,
        functions=f"""func.func private @other(%t: {_NESTED}) -> {_NESTED} {{
          %x = stablehlo.get_tuple_element %t[0] : ({_NESTED}) -> {_T}
          %p = stablehlo.get_tuple_element %t[1] : ({_NESTED}) -> tuple<tensor<i32>, {_T}>
          %n = stablehlo.get_tuple_element %p[0] : (tuple<tensor<i32>, {_T}>) -> tensor<i32>
          %y = stablehlo.add %x, %x : {_T}
          %q = stablehlo.tuple %n, %y : tuple<tensor<i32>, {_T}>
          %u = stablehlo.tuple %x, %q : {_NESTED}
          return %u : {_NESTED}
        }}""",
    ),
    Case(
        "stablehlo.get_tuple_element",
        """%t = stablehlo.tuple %a, %b : tuple<$a, $b>
        %r = stablehlo.get_tuple_element %t[1] : (tuple<$a, $b>) -> $r""",
        (_X, array(3)),
        (array(3),),
    ),
    *(
        Case(
            f"stablehlo.{name}",
            """%first = stablehlo.create_token : !stablehlo.token
            %token = stablehlo.after_all %first, %first : !stablehlo.token
            %r = stablehlo.negate %a : $a""",
            (_X,),
            (-_X,),
            "orders nothing",
        )
        for name in ("create_token", "after_all")
    ),
    Case(
        "stablehlo.return",
        """%r = "stablehlo.map"(%a) ({
          ^bb0(%x: tensor<f64>):
            stablehlo.return %x : tensor<f64>
        }) {dimensions = array<i64: 0>} : ($a) -> $r""",
        (_X,),
        (_X,),
        "of an argument",
    ),
)
CASES: Final = (*_CASES, *_STRUCTURE)
