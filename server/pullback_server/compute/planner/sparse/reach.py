"""The linear part of a derivative: which results each direction can reach.

The jaxpr of a derivative is cut down to what depends on the directions, and asdex
(https://github.com/adrhill/asdex) traces the dependencies through it. What does not depend on them is taken
as given, so that of most functions nothing but linear operations is left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np

from pullback_server.compute.planner.basis import Leaves
from pullback_server.compute.planner.sparse.coloring import Indices
from pullback_server.compute.planner.sparse.library import asdex
from pullback_server.errors import Reason, exceeded

Linear = Callable[[Leaves, Leaves], Leaves]
"""Takes directions and the point where the function is linearized, and gives the results."""

_CALLS: Final = frozenset({"jit", "pjit", "closed_call", "core_call", "checkpoint", "remat2"})
# Linear in their arguments, and without a rule in asdex: every result may depend on every argument.
_SPREADING: Final = frozenset(
    {
        "custom_linear_solve",
        "fft",
        "ragged_dot_general",
        "reduce_window",
        "reduce_window_sum",
        "select_and_gather_add",
        "select_and_scatter_add",
        "triangular_solve",
        "tridiagonal_solve",
    }
)


# Their coordinates alone take 2 GiB.
_MOST_ENTRIES: Final = 1 << 28

Types = Sequence[jax.ShapeDtypeStruct]


def reach(linear: Linear, directions: Types, point: Types) -> tuple[Indices, Indices]:
    """The results that each direction can reach, wherever the point lies.

    Args:
        linear: Linear in the directions.
        directions: The types of the directions.
        point: The types of the point's leaves.

    Returns:
        For each entry of the matrix of `linear` that can differ from zero its row (an element of the results)
        and its column (an element of the directions), row by row.
    """
    jaxpr = _inlined(linear, directions, point)
    opaque, cut = _cut(jaxpr.jaxpr, jaxpr.consts, len(directions))
    # Of its examples asdex takes no more than the types.
    given = tuple(np.zeros(var.aval.shape, var.aval.dtype) for var in opaque)
    along = tuple(np.zeros(leaf.shape, leaf.dtype) for leaf in directions)
    try:
        pattern = asdex().jacobian_sparsity(cut, along, given, argnums=0)
    except NotImplementedError:  # an operation that asdex does not know: anything may reach anything
        return _everything(_size(var.aval for var in jaxpr.jaxpr.outvars), _size(directions))
    return np.asarray(pattern.rows, np.int32), np.asarray(pattern.cols, np.int32)


def _inlined(linear: Linear, directions: Types, point: Types) -> Any:
    """The jaxpr with the bodies of its calls in the place of the calls."""
    jaxpr = jax.make_jaxpr(linear)(tuple(directions), tuple(point))

    def flat(*inputs: jax.Array) -> list[Any]:
        return _run(jaxpr.jaxpr, jaxpr.consts, inputs)

    return jax.make_jaxpr(flat)(*directions, *point)


def _run(jaxpr: Any, constants: Sequence[Any], inputs: Sequence[Any]) -> list[Any]:
    values = _Values(zip((*jaxpr.constvars, *jaxpr.invars), (*constants, *inputs), strict=True))
    for equation in jaxpr.eqns:
        given = values.of(equation.invars)
        if equation.primitive.name in _CALLS:
            body = equation.params["jaxpr"]
            results = _run(getattr(body, "jaxpr", body), getattr(body, "consts", ()), given)
        else:
            results = _bind(equation, given)
        values.set(equation.outvars, results)
    return values.of(jaxpr.outvars)


def _cut(
    jaxpr: Any, constants: Sequence[Any], directions: int
) -> tuple[list[Any], Callable[[Leaves, Leaves], list[Any]]]:
    """The part that depends on the directions or on nothing, as a function of the directions and the rest.

    Returns:
        The variables that it takes as given, and the function.
    """
    moving = set(map(id, jaxpr.invars[:directions]))
    fixed = set(map(id, jaxpr.constvars))
    kept = []
    for equation in jaxpr.eqns:
        names = [id(var) for var in equation.invars if not hasattr(var, "val")]
        if any(name in moving for name in names):
            moving.update(map(id, equation.outvars))
        elif all(name in fixed for name in names):
            fixed.update(map(id, equation.outvars))
        else:
            continue
        kept.append(equation)
    uses = [var for equation in kept for var in equation.invars] + list(jaxpr.outvars)
    known = moving | fixed
    opaque = list({id(var): var for var in uses if not hasattr(var, "val") and id(var) not in known}.values())

    def function(given: Leaves, rest: Leaves) -> list[Any]:
        values = _Values(
            zip((*jaxpr.invars[:directions], *jaxpr.constvars), (*given, *constants), strict=True)
        )
        values.set(opaque, rest)
        for equation in kept:
            inputs = values.of(equation.invars)
            spreads = equation.primitive.name in _SPREADING
            values.set(equation.outvars, _spread(equation, inputs) if spreads else _bind(equation, inputs))
        return values.of(jaxpr.outvars)

    return opaque, function


class _Values:
    """The values of variables while a jaxpr is evaluated."""

    def __init__(self, pairs: Iterable[tuple[Any, Any]]) -> None:
        self._values = {id(var): value for var, value in pairs}

    def of(self, variables: Iterable[Any]) -> list[Any]:
        return [var.val if hasattr(var, "val") else self._values[id(var)] for var in variables]

    def set(self, variables: Sequence[Any], values: Sequence[Any]) -> None:
        self._values.update(zip(map(id, variables), values, strict=True))


def _bind(equation: Any, inputs: Sequence[Any]) -> list[Any]:
    parameters = equation.primitive.get_bind_params(equation.params)
    results = equation.primitive.bind(*inputs, **parameters)
    return list(results) if equation.primitive.multiple_results else [results]


def _spread(equation: Any, inputs: Sequence[Any]) -> list[Any]:
    """Results of the right types that depend on every element of every input."""
    total = sum(jnp.sum(jnp.real(value).astype(jnp.float64)) for value in inputs)
    return [jnp.broadcast_to(total, var.aval.shape).astype(var.aval.dtype) for var in equation.outvars]


def _everything(rows: int, columns: int) -> tuple[Indices, Indices]:
    if rows * columns > _MOST_ENTRIES:
        raise exceeded(
            Reason.RESULT_TOO_LARGE,
            f"any of {rows} results may depend on any of {columns} arguments, so that the matrix has "
            f"{rows * columns} entries",
            value=rows * columns,
            limit=_MOST_ENTRIES,
            setting="",
            advice="ask for jvps or vjps",
        )
    row, column = np.divmod(np.arange(rows * columns, dtype=np.int64), max(columns, 1))
    return row.astype(np.int32), column.astype(np.int32)


def _size(leaves: Iterable[Any]) -> int:
    return sum(int(np.prod(leaf.shape)) for leaf in leaves)
