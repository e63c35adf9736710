"""Derivative rules as jaxprs, got by differentiating the equation that has them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import jax
import numpy as np
from jax.extend import core

from pullback.export._equations import bind, is_differentiable, types_of
from pullback.export.errors import RuleClosureError

ADVICE: Final = (
    "a derivative rule uses a traced value that is not among its arguments; pass the value to the "
    "custom_jvp or custom_vjp function as an argument"
)


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of an equation.

    Attributes:
        jaxprs: The rules. The first one takes the captured values before all else.
        captured: The variables, of the jaxpr around the equation, whose values the rules use beside their
            arguments: what their Python functions closed over.
        fixed: The numbers of operands that are constants to the rules, though the equation does not say so.
    """

    jaxprs: tuple[core.ClosedJaxpr, ...]
    captured: tuple[Any, ...] = ()
    fixed: tuple[int, ...] = ()


def _traced(rule: Callable[..., list[Any]], types: Sequence[jax.ShapeDtypeStruct]) -> core.ClosedJaxpr:
    try:
        return jax.make_jaxpr(rule)(*types)
    except jax.errors.UnexpectedTracerError as error:
        raise RuleClosureError(ADVICE) from error


def _captures(jaxpr: core.ClosedJaxpr) -> list[Any]:
    """The traced values among a jaxpr's constants."""
    return [constant for constant in jaxpr.consts if isinstance(constant, jax.core.Tracer)]


def _opened(jaxpr: core.ClosedJaxpr, captured: Sequence[Any]) -> core.ClosedJaxpr:
    """The jaxpr with captured values as its first arguments."""
    if not captured:
        return jaxpr

    def function(*flat: Any) -> list[Any]:
        given = {id(value): flat[number] for number, value in enumerate(captured)}
        constants = [given.get(id(constant), constant) for constant in jaxpr.consts]
        outs: list[Any] = core.jaxpr_as_fun(core.ClosedJaxpr(jaxpr.jaxpr, constants))(*flat[len(captured) :])
        return outs

    return _traced(function, [*types_of(captured), *types_of(jaxpr.in_avals)])


def _variables(captured: Sequence[Any]) -> tuple[Any, ...]:
    """The variables that traced values stand for."""
    variables = tuple(getattr(value, "val", None) for value in captured)
    if not all(isinstance(variable, core.Var) for variable in variables):
        raise RuleClosureError(ADVICE)
    return variables


def jvp_rule(equation: core.JaxprEqn) -> Rules:
    """The rule of an equation with a custom JVP.

    Returns:
        A jaxpr from captured values, constants, primals and the tangents of the differentiable primals to
        results and the tangents of the differentiable results.
    """
    constants, primals = _split(types_of(equation.invars), equation.params.get("num_consts", 0))
    tangents = list(filter(is_differentiable, primals))

    def rule(*flat: Any) -> list[Any]:
        captured, rest = flat[: len(constants)], flat[len(constants) :]
        points, directions = rest[: len(primals)], rest[len(primals) :]
        outs, changes = jax.jvp(
            lambda *inner: bind(equation, (*captured, *inner)),
            tuple(points),
            tuple(_filled(points, directions)),
        )
        return [*outs, *_differentiable_only(outs, changes)]

    traced = _traced(rule, [*constants, *primals, *tangents])
    captured = _captures(traced)
    return Rules((_opened(traced, captured),), _variables(captured))


def vjp_rules(equation: core.JaxprEqn, refused: Callable[[], None]) -> Rules:
    """The forward and backward rules of an equation with a custom VJP.

    A rule may refuse derivatives with respect to some operands, which then are constants: those of
    `equinox.filter_custom_vjp` do, and `diffrax.RecursiveCheckpointAdjoint` stands on them.

    Args:
        equation: An equation with a custom VJP.
        refused: Called after every refusal, lest it shows in what JAX remembers (`pullback.export._memory`).

    Returns:
        A jaxpr from captured values, constants and primals to results and residuals; and one from residuals
        and the cotangents of the differentiable results to the cotangents of the differentiable primals.
        What the backward rule captured is among the residuals.
    """
    try:
        return _vjp_rules(equation)
    except RuleClosureError:
        raise
    except Exception:
        refused()
        rules = _with_constants(equation, refused)
        if rules is None:
            raise
        return rules


def _with_constants(equation: core.JaxprEqn, refused: Callable[[], None]) -> Rules | None:
    """The rules with respect to all operands that they accept; None if there are none."""
    _, primals = operand_order(equation)

    def varying(numbers: Sequence[int]) -> Rules | None:
        fixed = tuple(number for number in primals if number not in numbers)
        try:
            return _vjp_rules(equation, fixed)
        except RuleClosureError:
            raise
        except Exception:  # noqa: BLE001 -- whatever a user's rule raises
            refused()
            return None

    candidates = [number for number in primals if is_differentiable(equation.invars[number].aval)]
    varied = _accepted(candidates, lambda numbers: varying(numbers) is not None)
    return varying(varied) if varied else None


def operand_order(equation: core.JaxprEqn, fixed: Sequence[int] = ()) -> tuple[list[int], list[int]]:
    """The numbers of the operands that are constants, and of the others: the order in which rules take them.

    Args:
        equation: An equation with custom derivatives.
        fixed: See `Rules`.
    """
    numbers = range(len(equation.invars))
    constants = [*range(equation.params.get("num_consts", 0)), *fixed]
    return constants, [number for number in numbers if number not in constants]


def _vjp_rules(equation: core.JaxprEqn, fixed: tuple[int, ...] = ()) -> Rules:
    constants, primals = operand_order(equation, fixed)
    order = (*constants, *primals)
    types = types_of([equation.invars[number] for number in order])
    varied = types[len(constants) :]
    function = in_order(_binding(equation), order)
    structure: Any = None

    def forward(*flat: Any) -> list[Any]:
        nonlocal structure
        captured, points = flat[: len(constants)], flat[len(constants) :]
        outs, pullback = jax.vjp(lambda *inner: function(*captured, *inner), *points)
        residuals, structure = jax.tree.flatten(pullback)
        return [*outs, *residuals]

    traced = _traced(forward, types)
    results, residuals = _split(types_of(traced.out_avals), len(equation.outvars))

    def backward(*flat: Any) -> list[Any]:
        saved, cotangents = _split(flat, len(residuals))
        pullback = jax.tree.unflatten(structure, saved)
        return _differentiable_only(varied, pullback(_filled(results, cotangents)))

    cotangents = list(filter(is_differentiable, results))
    rules = _joined(traced, _traced(backward, [*residuals, *cotangents]), len(residuals))
    return replace(rules, fixed=fixed)


def _binding(equation: core.JaxprEqn) -> Callable[..., list[Any]]:
    def bound(*operands: Any) -> list[Any]:
        return bind(equation, operands)

    return bound


def in_order(function: Callable[..., list[Any]], order: Sequence[int]) -> Callable[..., list[Any]]:
    """The function of operands that are given in this order of their numbers."""

    def ordered(*operands: Any) -> list[Any]:
        values = dict(zip(order, operands, strict=True))
        return function(*(values[number] for number in range(len(order))))

    ordered.__name__ = function.__name__
    return ordered


def _accepted(numbers: list[int], accepts: Callable[[list[int]], bool]) -> list[int]:
    """Those that are accepted, found by halves: mostly, neighbours are accepted together."""
    if not numbers or accepts(numbers):
        return numbers
    if len(numbers) == 1:
        return []
    halves = _split(numbers, len(numbers) // 2)
    return [number for half in halves for number in _accepted(half, accepts)]


def _joined(forward: core.ClosedJaxpr, backward: core.ClosedJaxpr, residuals: int) -> Rules:
    """Both rules; what the backward rule captured reaches it as further residuals."""
    later = _captures(backward)
    captured = list({id(value): value for value in (*_captures(forward), *later)}.values())
    if not captured:
        return Rules((forward, backward))
    opened, numbers = _opened(forward, captured), [_index(captured, value) for value in later]

    def run_forward(*flat: Any) -> list[Any]:
        return [*core.jaxpr_as_fun(opened)(*flat), *(flat[number] for number in numbers)]

    def run_backward(*flat: Any) -> list[Any]:
        saved, rest = _split(flat, residuals)
        values, cotangents = _split(rest, len(later))
        return list(core.jaxpr_as_fun(_opened(backward, later))(*values, *saved, *cotangents))

    inner, last = types_of(backward.in_avals)[:residuals], types_of(backward.in_avals)[residuals:]
    return Rules(
        (
            _traced(run_forward, types_of(opened.in_avals)),
            _traced(run_backward, [*inner, *types_of(later), *last]),
        ),
        _variables(captured),
    )


def _index(values: Sequence[Any], wanted: Any) -> int:
    return next(number for number, value in enumerate(values) if value is wanted)


def transpose_rule(equation: core.JaxprEqn, residuals: int) -> core.ClosedJaxpr:
    """The transpose of an equation that is linear in all operands but the first ones.

    Returns:
        A jaxpr from these and the cotangents of the results to the cotangents of the other operands.

    Raises:
        RuleClosureError: If it uses a traced value that is not among its arguments.
    """
    constants, linear = _split(types_of(equation.invars), residuals)

    def rule(*flat: Any) -> list[Any]:
        saved, cotangents = _split(flat, residuals)
        transposed = jax.linear_transpose(lambda *inner: bind(equation, (*saved, *inner)), *linear)
        return list(transposed(cotangents))

    traced = _traced(rule, [*constants, *types_of(equation.outvars)])
    if _captures(traced):
        raise RuleClosureError(ADVICE)
    return traced


def _split(values: Sequence[Any], count: int) -> tuple[list[Any], list[Any]]:
    return list(values[:count]), list(values[count:])


def _filled(values: Sequence[Any], directions: Sequence[Any]) -> list[Any]:
    """Directions for all values: those of integers are of JAX's type float0."""
    given = iter(directions)
    return [
        next(given) if is_differentiable(value) else np.zeros(value.shape, jax.dtypes.float0)
        for value in values
    ]


def _differentiable_only(values: Sequence[Any], directions: Sequence[Any]) -> list[Any]:
    return [
        direction for value, direction in zip(values, directions, strict=True) if is_differentiable(value)
    ]
