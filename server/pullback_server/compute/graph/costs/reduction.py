"""Reductions, cumulative operations, windows, scatters and sorting."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final

from jax.extend import core

from pullback.graphs.data import Cost
from pullback_server.compute.graph.costs.operands import is_complex, is_inexact, shape_in, size_in, size_out

_REDUCING: Final = ("reduce_sum", "reduce_prod", "reduce_max", "reduce_min", "argmax", "argmin", "reduce")
_CUMULATIVE: Final = ("cumsum", "cumprod", "cummax", "cummin")
_WINDOWED: Final = ("reduce_window", "reduce_window_sum", "reduce_window_max", "reduce_window_min")
_SCATTERING: Final = ("scatter-add", "scatter-sub", "scatter-mul", "scatter-min", "scatter-max")
_LOGADDEXP: Final = Cost(flops=3, transcendentals=2)


def _counted(equation: core.JaxprEqn, operations: int) -> Cost:
    if not is_inexact(equation):
        return Cost()
    return Cost(flops=max(operations, 0) * (2 if is_complex(equation) else 1))


def _reduce(equation: core.JaxprEqn) -> Cost:
    return _counted(equation, size_in(equation) - size_out(equation))


def _cumulative(equation: core.JaxprEqn) -> Cost:
    lines = _lines(equation, equation.params["axis"])
    return _counted(equation, size_in(equation) - lines)


def _cumulative_logsumexp(equation: core.JaxprEqn) -> Cost:
    """For each step the maximum, a difference, its exponential, a logarithm and a sum."""
    return _LOGADDEXP.times(max(size_in(equation) - _lines(equation, equation.params["axis"]), 0))


def _window(equation: core.JaxprEqn) -> Cost:
    window = math.prod(equation.params["window_dimensions"])
    return _counted(equation, size_out(equation) * (window - 1))


def _select_and_scatter(equation: core.JaxprEqn) -> Cost:
    """For each element of the source a search through its window, and one addition."""
    return _counted(equation, size_in(equation) * math.prod(equation.params["window_dimensions"]))


def _select_and_gather(equation: core.JaxprEqn) -> Cost:
    return _counted(equation, size_out(equation) * (math.prod(equation.params["window_dimensions"]) - 1))


def _scatter(equation: core.JaxprEqn) -> Cost:
    return _counted(equation, size_in(equation, 2))


def _sort(equation: core.JaxprEqn) -> Cost:
    """Comparisons: n log2 n for each line of n."""
    length = shape_in(equation)[equation.params["dimension"]]
    return _counted(equation, round(size_in(equation) * math.log2(max(length, 1))))


def _top_k(equation: core.JaxprEqn) -> Cost:
    """Comparisons: n log2 k for each line of n."""
    return _counted(equation, round(size_in(equation) * math.log2(max(equation.params["k"], 2))))


def _lines(equation: core.JaxprEqn, axis: int) -> int:
    length = shape_in(equation)[axis]
    return size_in(equation) // length if length else 0


RULES: Final[Mapping[str, Callable[[core.JaxprEqn], Cost]]] = {
    **dict.fromkeys(_REDUCING, _reduce),
    **dict.fromkeys(_CUMULATIVE, _cumulative),
    **dict.fromkeys(_WINDOWED, _window),
    **dict.fromkeys(_SCATTERING, _scatter),
    "cumlogsumexp": _cumulative_logsumexp,
    "select_and_scatter_add": _select_and_scatter,
    "select_and_scatter": _select_and_scatter,
    "select_and_gather_add": _select_and_gather,
    "sort": _sort,
    "top_k": _top_k,
}
