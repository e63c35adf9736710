"""Brings the arguments of a call to the parameters of its function."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pullback_server.compute.formats.formula.diagnostics import FormulaError, suggestion
from pullback_server.compute.formats.formula.functions.entry import Function, Parameter
from pullback_server.compute.formats.formula.functions.kinds import ARRAY
from pullback_server.compute.formats.formula.values import Value, require_range

Given = Mapping[str, Value]


def call(function: Function, arguments: Sequence[Value], keywords: Given) -> Any:
    """Calls the function.

    Args:
        function: Its entry in the table.
        arguments: What was given by position.
        keywords: What was given by name.

    Raises:
        FormulaError: If the arguments do not fit the parameters. What JAX raises passes through.
    """
    given, further = _assign(function, arguments)
    twice = sorted(given.keys() & keywords.keys())
    if twice:
        raise FormulaError(f"{function.name} is given {twice[0]} twice", _usage(function))
    _require_known(function, keywords)
    values = {**given, **keywords}
    missing = [p.name for p in function.parameters if p.required and p.name not in values]
    if missing:
        raise FormulaError(f"{function.name} lacks the argument {missing[0]}", _usage(function))
    required = [p for p in function.parameters if p.required]
    positional = [_read(p, values[p.name]) for p in required]
    optional = {p.name: _read(p, values[p.name]) for p in function.parameters if _is_option(p, values)}
    require_range([value for p, value in zip(required, positional, strict=True) if p.kind is ARRAY])
    return function.rule(*positional, *further, **optional)


def _assign(function: Function, arguments: Sequence[Value]) -> tuple[dict[str, Value], list[Any]]:
    """What positional arguments give to the parameters, and what is left for a repeated one."""
    takers = [parameter for parameter in function.parameters if not parameter.named]
    rest = arguments[len(takers) :]
    if rest and not (takers and takers[-1].repeated):
        few = f"{len(takers)} argument{'s' if len(takers) != 1 else ''} by position"
        raise FormulaError(f"{function.name} takes {few}, not {len(arguments)}", _usage(function))
    given = {parameter.name: value for parameter, value in zip(takers, arguments, strict=False)}
    return given, [_read(takers[-1], value) for value in rest]


def _require_known(function: Function, keywords: Given) -> None:
    known = {parameter.name for parameter in function.parameters}
    for name in keywords:
        if name not in known:
            advice = f"{suggestion(name, known)}{_usage(function)}"
            raise FormulaError(f"{function.name} has no parameter {name}", advice)


def _is_option(parameter: Parameter, values: Given) -> bool:
    return not parameter.required and parameter.name in values


def _read(parameter: Parameter, value: Value) -> Any:
    try:
        return parameter.kind.read(value)
    except FormulaError as error:
        raise FormulaError(f"{parameter.name}: {error.what}", error.advice, error.position) from error


def _usage(function: Function) -> str:
    hint = function.hint and f" {function.hint}"
    return f"It is called as {function.usage}.{hint}"
