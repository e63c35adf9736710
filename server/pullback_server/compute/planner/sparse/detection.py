"""Patterns of Jacobians and Hessians, with their colouring.

A pattern says which entries can differ from zero, at any point. It is read off the jaxpr of the derivative,
not of the function: what tangents of the inputs, or cotangents of the outputs, can reach. So it is that of
the derivative that JAX computes, with custom rules and stop_gradient in force.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import jax
import numpy as np

from pullback.program.tensors import TensorType
from pullback_server.compute.abstract import abstract, tensor_type_of
from pullback_server.compute.planner.basis import Leaves
from pullback_server.compute.planner.bodies import bodies
from pullback_server.compute.planner.sparse.coloring import Coloring, Indices, blocks_of
from pullback_server.compute.planner.sparse.library import asdex
from pullback_server.compute.planner.sparse.reach import reach
from pullback_server.model.quantities import Mode

Split = Callable[[Leaves, Leaves], Leaves]
"""A function of the moving leaves and the others that gives the outputs."""
Types = Sequence[TensorType]

_ASDEX_MODES: Final = {Mode.FORWARD: "fwd", Mode.REVERSE: "rev", Mode.PLANNED: None}
_OWN_RULES: Final = ("custom_jvp_call", "custom_vjp_call", "custom_vjp_call_jaxpr")


def color_jacobian(function: Split, moving: Types, others: Types, mode: Mode) -> Coloring:
    """The coloured pattern of a Jacobian.

    Args:
        function: The function.
        moving: The types of the leaves with respect to which it is differentiated.
        others: The types of the other leaves.
        mode: Forward or reverse; planned is the one with fewer colours.
    """
    results = tuple(map(tensor_type_of, jax.eval_shape(function, *_abstract(moving, others))))
    if mode is Mode.REVERSE:
        rows, columns = _pulled(function, moving, others, results)
    else:
        rows, columns = _pushed(function, moving, others)
    pattern = _sparsity(rows, columns, results, moving)
    colored = asdex().jacobian_coloring_from_sparsity(pattern, mode=_ASDEX_MODES[mode])
    return _coloring(colored, results, moving)


def color_hessian(function: Split, moving: Types, others: Types) -> Coloring:
    """The coloured pattern of the Hessian of a function whose one output is a real scalar.

    A Hessian is symmetric, so that of two entries that mirror each other one is enough. With a derivative
    rule of the function's own it need not be, and then every entry is found for itself.
    """

    def gradient(inputs: Leaves, rest: Leaves) -> Leaves:
        slopes: Leaves = jax.grad(lambda given: function(given, rest)[0])(inputs)
        return slopes

    rows, columns = _pushed(gradient, moving, others)
    jaxpr = jax.make_jaxpr(function)(*_abstract(moving, others))
    symmetric = _mirrored(rows, columns) and not _has_own_rule(jaxpr.jaxpr)
    pattern = _sparsity(rows, columns, moving, moving)
    colored = asdex().hessian_coloring_from_sparsity(pattern, mode="fwd_over_rev", symmetric=symmetric)
    return _coloring(colored, moving, moving)


def _pushed(function: Split, moving: Types, others: Types) -> tuple[Indices, Indices]:
    """Rows and columns of the entries, by what tangents reach."""

    def push(tangents: Leaves, point: Leaves) -> Leaves:
        inputs, rest = point[: len(moving)], point[len(moving) :]
        change: Leaves = jax.jvp(lambda *given: tuple(function(given, rest)), inputs, tangents)[1]
        return change

    (inputs, rest) = _abstract(moving, others)
    return reach(push, inputs, (*inputs, *rest))


def _pulled(function: Split, moving: Types, others: Types, results: Types) -> tuple[Indices, Indices]:
    """Rows and columns of the entries, by what cotangents reach."""

    def pull(cotangents: Leaves, point: Leaves) -> Leaves:
        inputs, rest = point[: len(moving)], point[len(moving) :]
        pulled: Leaves = jax.vjp(lambda *given: tuple(function(given, rest)), *inputs)[1](cotangents)
        return pulled

    (inputs, rest) = _abstract(moving, others)
    columns, rows = reach(pull, _abstract(results)[0], (*inputs, *rest))
    order = np.lexsort((columns, rows))
    return rows[order], columns[order]


def _sparsity(rows: Indices, columns: Indices, results: Types, moving: Types) -> Any:
    return asdex().SparsityPattern.from_coo(rows, columns, (_size(results), _size(moving)))


def _coloring(colored: Any, results: Types, moving: Types) -> Coloring:
    rows, columns = np.asarray(colored.sparsity.rows), np.asarray(colored.sparsity.cols)
    sizes = [[leaf.size for leaf in leaves] for leaves in (results, moving)]
    mode = Mode.REVERSE if colored.mode == "rev" else Mode.FORWARD
    blocks = blocks_of(rows, columns, *sizes)
    return Coloring(mode, int(colored.num_colors), np.asarray(colored.colors), colored, blocks)


def _mirrored(rows: Indices, columns: Indices) -> bool:
    entries = set(zip(rows.tolist(), columns.tolist(), strict=True))
    return all((column, row) in entries for row, column in entries)


def _has_own_rule(jaxpr: Any) -> bool:
    return any(
        equation.primitive.name in _OWN_RULES or any(map(_has_own_rule, bodies(equation)))
        for equation in jaxpr.eqns
    )


def _abstract(*groups: Types) -> tuple[tuple[jax.ShapeDtypeStruct, ...], ...]:
    return tuple(tuple(map(abstract, leaves)) for leaves in groups)


def _size(leaves: Types) -> int:
    return sum(leaf.size for leaf in leaves)
