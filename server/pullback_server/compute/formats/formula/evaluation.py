"""Walks a syntax tree: what each node is worth, given what the names stand for.

Runs while JAX traces. Whatever a node is refused for becomes a FormulaError at the node's position.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, TypeVar, assert_never

import jax

from pullback_server.compute.formats.formula import operators, scalars
from pullback_server.compute.formats.formula.attributes import attribute
from pullback_server.compute.formats.formula.diagnostics import FormulaError, suggestion
from pullback_server.compute.formats.formula.functions.binding import call
from pullback_server.compute.formats.formula.functions.table import FOREIGN, FUNCTIONS
from pullback_server.compute.formats.formula.indexing import make_slice, subscript
from pullback_server.compute.formats.formula.limits import MAX_ELEMENTS
from pullback_server.compute.formats.formula.refusals import (
    refused,
    refused_call,
    refused_index,
    refused_operator,
)
from pullback_server.compute.formats.formula.syntax import (
    Assignment,
    Attribute,
    Binary,
    Call,
    Constant,
    Index,
    Keyword,
    ListDisplay,
    Name,
    Node,
    Operation,
    Slice,
    Subscript,
    Syntax,
    Term,
    TupleDisplay,
    Unary,
)
from pullback_server.compute.formats.formula.values import (
    Value,
    as_array,
    as_operand,
    is_number,
    is_weak,
    require_range,
    require_size,
    weakly_typed,
)

CONSTANTS: Final[Mapping[str, float]] = MappingProxyType(
    {"pi": math.pi, "e": math.e, "inf": math.inf, "nan": math.nan}
)
Result = TypeVar("Result", bound=Value)
_MOST_NAMES: Final = 20


def evaluate(syntax: Syntax, arguments: Mapping[str, jax.Array]) -> jax.Array:
    """The array that a formula gives for these arguments.

    Raises:
        FormulaError: If a node has no value; with its position.
    """
    largest = max((array.size for array in arguments.values()), default=0)
    walk = _Walk({**CONSTANTS, **arguments}, max(MAX_ELEMENTS, largest))
    for node in syntax.nodes:
        walk.step(node)
    return walk.result(syntax)


class _Walk:
    """The values of the nodes so far, and what the names stand for."""

    def __init__(self, names: dict[str, Value], limit: int) -> None:
        self._names = names
        self._limit = limit
        self._values: list[Value] = []

    def step(self, node: Node) -> None:
        """Adds the value of the next node."""
        self._values.append(self._checked(node, lambda: self._value(node)))

    def result(self, syntax: Syntax) -> jax.Array:
        """The last statement's value, as an array of a definite type."""
        value = self._values[syntax.result]
        array = self._checked(syntax.nodes[syntax.result], lambda: as_array(value))
        return jax.lax.convert_element_type(array, array.dtype)

    def _checked(self, node: Node, rule: Callable[[], Result]) -> Result:
        """What the rule gives for a node; whatever it is refused for is the node's error."""
        try:
            value = rule()
            if isinstance(value, jax.Array):
                require_size(value.shape, self._limit)
        except FormulaError as error:
            raise error.at(node.position) from error.__cause__
        except Exception as error:  # JAX refuses with many types
            raise self._refusal(node, error).at(node.position) from error
        return value

    def _value(self, node: Node) -> Value:
        return self._operation(node) if isinstance(node, Operation) else self._term(node)

    def _operation(self, node: Operation) -> Value:
        match node:
            case Unary(symbol=symbol, operand=operand):
                return _operate(operators.PREFIX[symbol], self._all([operand]))
            case Binary(symbol=symbol, left=left, right=right):
                return _operate(operators.BINARY[symbol], self._all([left, right]))
            case Call():
                return self._call(node)
            case Subscript(base=base, items=items):
                return subscript(self._values[base], self._all(items))
            case Attribute(base=base, name=name):
                return attribute(self._values[base], name)
            case _:
                assert_never(node)

    def _term(self, node: Term) -> Value:
        match node:
            case Constant(value=value):
                return value
            case Name(name=name):
                return self._named(name)
            case Slice(start=start, stop=stop, step=step):
                return make_slice(self._bound(start), self._bound(stop), self._bound(step))
            case TupleDisplay(items=items):
                return tuple(self._all(items))
            case ListDisplay(items=items):
                return self._all(items)
            case Assignment(name=name, value=value):
                return self._assign(name, self._values[value])
            case _:
                assert_never(node)

    def _all(self, items: Sequence[Index]) -> list[Value]:
        return [self._values[item] for item in items]

    def _bound(self, bound: Index | None) -> Value:
        return None if bound is None else self._values[bound]

    def _assign(self, name: str, value: Value) -> Value:
        self._names[name] = _assigned(value)
        return self._names[name]

    def _named(self, name: str) -> Value:
        if name in self._names:
            return self._names[name]
        if name in FUNCTIONS:
            raise FormulaError(f"{name} is a function and needs arguments", f"Write {FUNCTIONS[name].usage}.")
        known = ", ".join(sorted(self._names.keys() - CONSTANTS.keys())[:_MOST_NAMES]) or "none"
        advice = f"{suggestion(name, self._names)}The names so far: {known}."
        raise FormulaError(f"the name {name} stands for nothing", advice)

    def _call(self, node: Call) -> Value:
        function = FUNCTIONS.get(node.function)
        if function is None:
            raise self._unknown_function(node.function)
        arguments, keywords = self._all(node.arguments), self._keywords(node.keywords)
        return _constant(call(function, arguments, keywords), [*arguments, *keywords.values()])

    def _keywords(self, given: Sequence[Keyword]) -> dict[str, Value]:
        keywords: dict[str, Value] = {}
        for keyword in given:
            if keyword.name in keywords:
                raise FormulaError(f"{keyword.name} is given twice", "Give it once.", keyword.position)
            keywords[keyword.name] = self._values[keyword.value]
        return keywords

    def _unknown_function(self, name: str) -> FormulaError:
        if name in self._names:
            return FormulaError(f"{name} is no function", f"Write {name} * (...) for a product.")
        advice = FOREIGN.get(name) or f"{suggestion(name, FUNCTIONS)}docs/formula.md lists the functions."
        return FormulaError(f"there is no function {name}", advice)

    def _refusal(self, node: Node, error: Exception) -> FormulaError:
        match node:
            case Binary(symbol=symbol, left=left, right=right):
                return refused_operator(symbol, self._all([left, right]), error)
            case Unary(symbol=symbol, operand=operand):
                return refused_operator(symbol, self._all([operand]), error)
            case Call(function=name, arguments=arguments):
                return refused_call(name, self._all(arguments), error)
            case Subscript(base=base):
                return refused_index(self._values[base], error)
            case _:
                return refused(error)


def _operate(operator: operators.Operator, values: Sequence[Value]) -> Value:
    operands = [as_operand(value) for value in values]
    numbers = [operand for operand in operands if is_number(operand)]
    if operator.numbers is not None and len(numbers) == len(operands):
        return scalars.calculate(operator.numbers, *numbers)
    require_range(operands)
    return _constant(operator.arrays(*operands), operands)


def _constant(result: Any, origins: Sequence[Value]) -> Value:
    """The result, weakly typed if it came of nothing but constants."""
    if isinstance(result, jax.Array) and all(map(_is_constant, origins)):
        return weakly_typed(result)
    value: Value = result
    return value


def _is_constant(value: Value) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_constant, value))
    return is_weak(value) or not isinstance(value, jax.Array)


def _assigned(value: Value) -> Value:
    """What a name can stand for: arrays, numbers, texts, and tuples of these.

    Parts that hold parts are not among them: names would let those grow without bound.
    """
    if isinstance(value, list):
        return as_array(value)
    if isinstance(value, tuple) and any(isinstance(part, list | tuple) for part in value):
        raise FormulaError("a tuple of tuples or lists cannot be assigned", "Write [ ] for an array.")
    return value
