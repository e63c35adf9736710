"""Primitives of equinox and lineax, on which diffrax, optimistix and others stand.

They are known by name; neither package is imported. What they compute is written with JAX's own operations. A
linear solver becomes `jax.lax.custom_linear_solve`, which is differentiated implicitly as lineax does it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import jax
from jax import lax
from jax.extend import core

from pullback.export._composites import emit_composite
from pullback.export._equations import bind, function_of, replaced, types_of
from pullback.export._rewriting import Handler, Rewriting
from pullback.program.composites import STRUCTURED

# They pass values on, and refuse some of JAX's transformations.
_IDENTITIES: Final = (
    "nonbatchable",
    "nondifferentiable_backward",
    "nontraceable",
    "optimization_barrier_eqx",
)


def _identity(_: Rewriting, __: core.JaxprEqn, inputs: Sequence[Any]) -> list[Any]:
    return list(inputs)


def _select(_: Rewriting, __: core.JaxprEqn, inputs: Sequence[Any]) -> list[Any]:
    """A choice that equinox makes only in a batch; a served function is batched after it was lowered."""
    predicate, on_true, on_false = inputs
    return [lax.select(jax.numpy.broadcast_to(predicate, on_true.shape), on_true, on_false)]


def _expand(rewriting: Rewriting, equation: core.JaxprEqn, inputs: Sequence[Any]) -> list[Any]:
    """What a primitive computes, in its place."""
    jaxpr = expanded(equation)
    return list(function_of(rewriting.rewrite(jaxpr), equation.primitive.name)(*inputs))


def expanded(equation: core.JaxprEqn) -> core.ClosedJaxpr:
    """What a primitive computes, as its implementation writes it with others."""
    primitive: Any = equation.primitive

    def implementation(*inputs: Any) -> list[Any]:
        return list(primitive.impl(*inputs, **equation.params))

    return jax.make_jaxpr(implementation)(*types_of(equation.invars))


@dataclass(frozen=True, slots=True)
class _Solve:
    """An equation of lineax's `linear_solve`: operator, state, vector, options, solver and flag, taken apart.

    Attributes:
        equation: The equation.
        operator: The numbers of the operands that the operator consists of.
        vector: Those of the right-hand side.
        solution: The numbers of the results that are the solution; the others say how it was found.
    """

    equation: core.JaxprEqn
    operator: tuple[int, ...]
    vector: tuple[int, ...]
    solution: tuple[int, ...]

    @property
    def rest(self) -> tuple[int, ...]:
        """The numbers of all operands but the right-hand side."""
        return tuple(number for number in range(len(self.equation.invars)) if number not in self.vector)

    def arguments(self, values: Mapping[int, Any]) -> tuple[Any, ...]:
        """What lineax calls with, made of operands by their numbers; None where none is given."""
        parameters = self.equation.params
        return _arguments(parameters["treedef"], parameters["static"], values.get)

    def types(self, numbers: Sequence[int]) -> list[jax.ShapeDtypeStruct]:
        """The types of operands."""
        return types_of([self.equation.invars[number] for number in numbers])


def _arguments(treedef: Any, static: Sequence[Any], value: Callable[[int], Any]) -> tuple[Any, ...]:
    numbers = itertools.count()
    # A plain object marks the place of an operand.
    leaves = [value(next(numbers)) if type(leaf) is object else leaf for leaf in static]
    arguments: tuple[Any, ...] = jax.tree.unflatten(treedef, leaves)
    return arguments


def _read_solve(equation: core.JaxprEqn) -> _Solve:
    parameters = equation.params
    operator, _, vector, *_ = _arguments(parameters["treedef"], parameters["static"], _Number)
    results, _ = parameters["flatten"].get()
    solution, *_ = jax.tree.unflatten(results, range(len(equation.outvars)))
    return _Solve(equation, _numbers(operator), _numbers(vector), tuple(jax.tree.leaves(solution)))


@dataclass(frozen=True, slots=True)
class _Number:
    """Stands for an operand."""

    number: int


def _numbers(tree: Any) -> tuple[int, ...]:
    return tuple(leaf.number for leaf in jax.tree.leaves(tree) if isinstance(leaf, _Number))


def _solve(rewriting: Rewriting, equation: core.JaxprEqn, inputs: Sequence[Any]) -> list[Any]:
    solve = _read_solve(equation)
    if solve.types(solve.vector) != types_of([equation.outvars[number] for number in solve.solution]):
        return _without_derivative(rewriting, equation, inputs)
    plain = expanded(equation)
    solver = _restricted(plain, solve)
    groups = (solve.operator, (), solve.rest, solve.rest)
    right = [inputs[number] for number in solve.vector]
    parameters = {
        "constants": tuple(map(len, groups)),
        "matvec": rewriting.body(_matvec(solve)),
        "solve": rewriting.body(solver),
        "transpose_solve": rewriting.body(_transposed(solve)),
        "symmetric": False,
    }
    skipped = len(solve.operator)
    function = function_of(rewriting.rewrite(solver), "linear_solve")

    def decomposition(*operands: Any) -> list[Any]:
        constants, vector = operands[skipped : skipped + len(solve.rest)], operands[-len(right) :]
        return function(*constants, *vector)

    operands = [inputs[number] for group in groups for number in group]
    solution = emit_composite(
        "custom_linear_solve",
        decomposition,
        [*operands, *right],
        STRUCTURED["custom_linear_solve"],
        parameters,
    )
    # How the solution was found has no derivative.
    stopped = [lax.stop_gradient(value) for value in inputs]
    outputs = list(function_of(rewriting.rewrite(plain), "linear_solve_report")(*stopped))
    for number, value in zip(solve.solution, solution, strict=True):
        outputs[number] = value
    return outputs


def _without_derivative(rewriting: Rewriting, equation: core.JaxprEqn, inputs: Sequence[Any]) -> list[Any]:
    """A solution by least squares: it has values, and a server refuses to differentiate it.

    Implicit functions, such as the results of optimistix, do not differentiate the solutions on their way.
    """
    function = function_of(rewriting.rewrite(expanded(equation)), "linear_solve")
    return emit_composite(
        "custom_jvp", function, inputs, STRUCTURED["custom_jvp"], {"constants": 0, "rule": None}
    )


def _matvec(solve: _Solve) -> core.ClosedJaxpr:
    """The linear map: from the operator and a vector to a vector."""

    def matvec(*flat: Any) -> list[Any]:
        values = dict(zip((*solve.operator, *solve.vector), flat, strict=True))
        operator, _, vector, *_ = solve.arguments(values)
        return list(jax.tree.leaves(operator.mv(vector)))

    return jax.make_jaxpr(matvec)(*solve.types((*solve.operator, *solve.vector)))


def _restricted(plain: core.ClosedJaxpr, solve: _Solve) -> core.ClosedJaxpr:
    """The solver: from all operands, the right-hand side last, to the solution alone."""

    def solution(*flat: Any) -> list[Any]:
        values = dict(zip((*solve.rest, *solve.vector), flat, strict=True))
        outputs = core.jaxpr_as_fun(plain)(*(values[number] for number in range(len(values))))
        return [outputs[number] for number in solve.solution]

    return jax.make_jaxpr(solution)(*solve.types((*solve.rest, *solve.vector)))


def _transposed(solve: _Solve) -> core.ClosedJaxpr:
    """The solver of the transposed map, as lineax has it."""

    def rule(*flat: Any) -> list[Any]:
        constants = dict(zip(solve.rest, flat[: len(solve.rest)], strict=True))

        def solution(*vector: Any) -> list[Any]:
            values = {**constants, **dict(zip(solve.vector, vector, strict=True))}
            outputs = bind(solve.equation, [values[number] for number in range(len(values))])
            return [outputs[number] for number in solve.solution]

        transposed = jax.linear_transpose(solution, *solve.types(solve.vector))
        return list(transposed(list(flat[len(solve.rest) :])))

    return replaced(jax.make_jaxpr(rule)(*solve.types((*solve.rest, *solve.vector))), _expanded_solve)


def _expanded_solve(equation: core.JaxprEqn) -> core.ClosedJaxpr | None:
    return expanded(equation) if equation.primitive.name == _SOLVE else None


_SOLVE: Final = "linear_solve"

HANDLERS: Final[dict[str, Handler]] = {
    **dict.fromkeys(_IDENTITIES, _identity),
    "select_if_vmap": _select,
    "maybe_set": _expand,
    _SOLVE: _solve,
}
