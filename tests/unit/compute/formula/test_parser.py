"""Syntax trees: how operators group, and what can stand where."""

from __future__ import annotations

import ast
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pullback_server.compute.formats.formula import operators
from pullback_server.compute.formats.formula.grammar import BINARY, PREFIX
from pullback_server.compute.formats.formula.parser import parse
from pullback_server.compute.formats.formula.syntax import (
    Assignment,
    Attribute,
    Binary,
    Call,
    Constant,
    ListDisplay,
    Name,
    Operation,
    Slice,
    Subscript,
    Syntax,
    Term,
    TupleDisplay,
    Unary,
)


def written(source: str) -> str:
    """The last statement with every operation in brackets."""
    syntax = parse(source)
    return _written(syntax, syntax.result)


def _written(syntax: Syntax, index: int | None) -> str:
    if index is None:
        return ""

    def of(child: int | None) -> str:
        return _written(syntax, child)

    node = syntax.nodes[index]
    return _operation(node, of) if isinstance(node, Operation) else _term(node, of)


def _operation(node: Operation, of: Callable[[int | None], str]) -> str:
    match node:
        case Unary(symbol=symbol, operand=operand):
            return f"({symbol} {of(operand)})"
        case Binary(symbol=symbol, left=left, right=right):
            return f"({of(left)} {symbol} {of(right)})"
        case Call(function=name, arguments=arguments, keywords=keywords):
            named = [f"{keyword.name}={of(keyword.value)}" for keyword in keywords]
            return f"{name}({', '.join([*map(of, arguments), *named])})"
        case Subscript(base=base, items=items):
            return f"{of(base)}[{', '.join(map(of, items))}]"
        case Attribute(base=base, name=name):
            return f"{of(base)}.{name}"


def _term(node: Term, of: Callable[[int | None], str]) -> str:
    match node:
        case Constant(value=value):
            return "..." if value is ... else repr(value)
        case Name(name=name):
            return name
        case Slice(start=start, stop=stop, step=step):
            return f"{of(start)}:{of(stop)}:{of(step)}"
        case TupleDisplay(items=items):
            return f"<{', '.join(map(of, items))}>"
        case ListDisplay(items=items):
            return f"[{', '.join(map(of, items))}]"
        case Assignment(name=name, value=value):
            return f"{name} := {of(value)}"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a + b * c - d", "((a + (b * c)) - d)"),
        ("-a ** -b ** c", "(- (a ** (- (b ** c))))"),
        ("a @ b / c % d", "(((a @ b) / c) % d)"),
        ("a & b | c == d", "(((a & b) | c) == d)"),
        ("not a < b and c or d", "(((not (a < b)) and c) or d)"),
        ("a or b and c", "(a or (b and c))"),
        ("- - +~a", "(- (- (+ (~ a))))"),
        ("-a[0].T ** 2", "(- (a[0].T ** 2))"),
        ("x[1:, ..., ::2, :, None, -1:n]", "x[1::, ..., ::2, ::, None, (- 1):n:]"),
        ("x[i:j]", "x[i:j:]"),
        ("f(a, b + c, axis=0, keepdims=True,)", "f(a, (b + c), axis=0, keepdims=True)"),
        ("f()", "f()"),
        ("(a)", "a"),
        ("(a,)", "<a>"),
        ("()", "<>"),
        ("(a, b,)", "<a, b>"),
        ("[[1, 2j], []]", "[[1, 2j], []]"),
        ('einsum("ij->i", a)', "einsum('ij->i', a)"),
        ("a = 1\n\n;; b = a; # end\n", "b := a"),
        ("(a\n+\nb)", "(a + b)"),
        ("newaxis", "None"),
        ("007 + 1.", "(7 + 1.0)"),
    ],
)
def test_grouping(source: str, expected: str) -> None:
    """Operators, suffixes and displays group as in Python."""
    assert written(source) == expected


def test_positions() -> None:
    """An operator's node stands at its symbol, a call's at its function, a subscript's at its bracket."""
    nodes = parse("a +\tsin(b)[0]").nodes
    assert [(type(node).__name__, node.position) for node in nodes] == [
        ("Name", 0),
        ("Name", 8),
        ("Call", 4),
        ("Constant", 11),
        ("Subscript", 10),
        ("Binary", 2),
    ]


def test_grammar_and_operators_agree() -> None:
    """Every operator that the parser knows has a meaning, and the reverse."""
    assert set(BINARY) == set(operators.BINARY)
    assert set(PREFIX) == set(operators.PREFIX)


_NAMES = st.sampled_from(["a", "b", "2", "0.5"])
_SYMBOLS = st.sampled_from(["+", "-", "*", "/", "//", "%", "**", "@", "&", "|"])
_EXPRESSIONS = st.recursive(
    _NAMES,
    lambda inner: st.one_of(
        st.builds("{} {} {}".format, inner, _SYMBOLS, inner),
        st.builds("{}{}".format, st.sampled_from(["-", "+", "~"]), inner),
        st.builds("({})".format, inner),
        st.builds("f({}, {})[{}]".format, inner, inner, inner),
    ),
    max_leaves=12,
)


@given(_EXPRESSIONS)
@settings(max_examples=300, deadline=None)
def test_groups_as_python(source: str) -> None:
    """Random expressions group as in Python's own syntax tree, which is only read here, never run."""
    assert written(source) == _python(ast.parse(source, mode="eval").body)


def _python(node: ast.expr) -> str:
    match node:
        case ast.Constant(value=value):
            return repr(value)
        case ast.Name(id=name):
            return name
        case ast.UnaryOp(op=op, operand=operand):
            return f"({_SPELLED[type(op)]} {_python(operand)})"
        case ast.BinOp(left=left, op=op, right=right):
            return f"({_python(left)} {_SPELLED[type(op)]} {_python(right)})"
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return f"{name}({', '.join(map(_python, arguments))})"
        case ast.Subscript(value=value, slice=index):
            return f"{_python(value)}[{_python(index)}]"
        case _:
            raise AssertionError(ast.dump(node))


_SPELLED: dict[type[ast.AST], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.Pow: "**",
    ast.MatMult: "@",
    ast.BitAnd: "&",
    ast.BitOr: "|",
    ast.USub: "-",
    ast.UAdd: "+",
    ast.Invert: "~",
}
