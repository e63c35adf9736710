"""Sizes that are known only with the arguments: integer expressions of symbols, such as `n` or `2*n+1`.

The expressions are those that JAX prints for symbolic shapes (`jax.export.symbolic_shape`): integers,
names, `+`, `-`, `*`, `^`, `floordiv(a,b)`, `mod(a,b)`, `max(a,b)`, `min(a,b)`.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Final

from pullback.program.errors import MalformedProgramError

_LONGEST: Final = 200
_LARGEST: Final = 2**63
_HIGHEST_POWER: Final = 8
_SEPARATE_WORDS: Final = re.compile(r"\w\s+\w")
_CHARACTERS: Final = re.compile(r"[A-Za-z0-9_+*(),-]+", re.ASCII)

_OPERATORS: Final[Mapping[type[ast.operator], Callable[[int, int], int]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Pow: operator.pow,
}
_FUNCTIONS: Final[Mapping[str, Callable[[int, int], int]]] = {
    "floordiv": operator.floordiv,
    "mod": operator.mod,
    "max": max,
    "min": min,
}


class SizeError(ArithmeticError):
    """An expression has no value for some sizes: a division by zero, or a number beyond 64 bits."""


def spelled(text: str) -> str:
    """An expression in its one spelling: without spaces, powers written `^`.

    Raises:
        MalformedProgramError: If it is none, or has no symbol.
    """
    if _SEPARATE_WORDS.search(text):
        raise _malformed(text)
    text = "".join(text.split()).replace("**", "^")
    if not symbols_in(text):
        raise _malformed(text)
    return text


def symbols_in(expression: str) -> tuple[str, ...]:
    """The symbols of an expression, in the order of their names."""
    called = {id(node.func) for node in ast.walk(_parse(expression)) if isinstance(node, ast.Call)}
    nodes = (node for node in ast.walk(_parse(expression)) if isinstance(node, ast.Name))
    return tuple(sorted({node.id for node in nodes if id(node) not in called}))


def evaluate(expression: str, sizes: Mapping[str, int]) -> int:
    """The value of an expression.

    Args:
        expression: The expression.
        sizes: The size of each of its symbols.

    Raises:
        SizeError: If it has no value there.
        KeyError: If a symbol has no size.
    """
    return _value(_parse(expression), sizes)


def solve(expression: str, value: int, sizes: Mapping[str, int]) -> tuple[str, int] | None:
    """The size of the only unknown symbol of an expression, of which it is a linear function.

    Args:
        expression: The expression.
        value: What it should be.
        sizes: The sizes of the symbols that are known.

    Returns:
        The unknown and its size; None if there is not one unknown, or it cannot be found.
    """
    unknown = [symbol for symbol in symbols_in(expression) if symbol not in sizes]
    if len(unknown) != 1:
        return None
    try:
        line = _line(_parse(expression), unknown[0], sizes)
    except SizeError:
        return None
    if line is None or line[0] == 0 or (value - line[1]) % line[0]:
        return None
    return unknown[0], (value - line[1]) // line[0]


@lru_cache(maxsize=4096)
def _parse(text: str) -> ast.expr:
    if len(text) > _LONGEST or _CHARACTERS.fullmatch(text.replace("^", "")) is None:
        raise _malformed(text)
    try:
        parsed = ast.parse(text.replace("^", "**"), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise _malformed(text) from error
    for part in _parts(parsed):
        _require_known(part, text)
    return parsed


def _parts(node: ast.expr) -> Iterator[ast.expr]:
    return (part for part in ast.walk(node) if isinstance(part, ast.expr))


def _require_known(node: ast.expr, text: str) -> None:
    match node:
        case ast.Constant(value=int(value)) if not isinstance(value, bool) and value < _LARGEST:
            return
        case ast.BinOp(op=ast.Pow(), right=ast.Constant(value=int(power))) if power <= _HIGHEST_POWER:
            return
        case ast.BinOp(op=ast.Add() | ast.Sub() | ast.Mult()) | ast.UnaryOp(op=ast.USub()) | ast.Name():
            return
        case ast.Call(func=ast.Name(id=name), args=[_, _], keywords=[]) if name in _FUNCTIONS:
            return
        case _:
            raise _malformed(text)


def _value(node: ast.expr, sizes: Mapping[str, int]) -> int:
    match node:
        case ast.Constant(value=int(value)):
            return value
        case ast.Name(id=symbol):
            return sizes[symbol]
        case ast.UnaryOp(operand=operand):
            return -_value(operand, sizes)
        case ast.BinOp(left=left, op=op, right=right):
            return _apply(_OPERATORS[type(op)], _value(left, sizes), _value(right, sizes))
        case ast.Call(func=ast.Name(id=name), args=[first, second]):
            return _apply(_FUNCTIONS[name], _value(first, sizes), _value(second, sizes))
        case _:
            raise AssertionError(ast.dump(node))


def _apply(function: Callable[[int, int], int], first: int, second: int) -> int:
    try:
        value = function(first, second)
    except ZeroDivisionError as error:
        raise SizeError("it divides by zero") from error
    if abs(value) >= _LARGEST:
        raise SizeError("it is beyond 64 bits")
    return value


def _line(node: ast.expr, unknown: str, sizes: Mapping[str, int]) -> tuple[int, int] | None:
    """The expression as slope and offset in the unknown; None if it is no line."""
    match node:
        case ast.Name(id=symbol) if symbol == unknown:
            return 1, 0
        case ast.UnaryOp(operand=operand):
            return _scaled(_line(operand, unknown, sizes), -1)
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub() as op, right=right):
            second = _scaled(_line(right, unknown, sizes), 1 if isinstance(op, ast.Add) else -1)
            return _added(_line(left, unknown, sizes), second)
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            first, second = _line(left, unknown, sizes), _line(right, unknown, sizes)
            return _multiplied(first, second)
        case _:
            return None if _mentions(node, unknown) else (0, _value(node, sizes))


def _mentions(node: ast.expr, symbol: str) -> bool:
    return any(isinstance(part, ast.Name) and part.id == symbol for part in ast.walk(node))


def _scaled(line: tuple[int, int] | None, factor: int) -> tuple[int, int] | None:
    return line and (line[0] * factor, line[1] * factor)


def _added(first: tuple[int, int] | None, second: tuple[int, int] | None) -> tuple[int, int] | None:
    return first and second and (first[0] + second[0], first[1] + second[1])


def _multiplied(first: tuple[int, int] | None, second: tuple[int, int] | None) -> tuple[int, int] | None:
    if first is None or second is None or (first[0] and second[0]):
        return None
    return (first[0] * second[1] + first[1] * second[0], first[1] * second[1])


def _malformed(text: str) -> MalformedProgramError:
    return MalformedProgramError(
        f"{text[:100]!r} is no size; write an integer, or an expression of symbols such as n or 2*n+1"
    )
