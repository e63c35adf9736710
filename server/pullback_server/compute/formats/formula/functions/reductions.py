"""Functions that take an axis away or run along one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import jax.numpy as jnp

from pullback_server.compute.formats.formula.functions.entry import (
    AXIS_OR_AXES,
    KEEPDIMS,
    ONE_AXIS,
    Function,
    X,
    named,
    option,
    renamed,
)
from pullback_server.compute.formats.formula.functions.kinds import ARRAY, FLAG, NUMBER, ORDER


def _reduction(name: str, rule: Callable[..., Any], jax: str, summary: str, hint: str = "") -> Function:
    return Function(name, rule, (X, AXIS_OR_AXES, KEEPDIMS), jax, summary, hint=hint)


def _spread(name: str, rule: Callable[..., Any], jax: str, summary: str) -> Function:
    return Function(name, rule, (X, AXIS_OR_AXES, KEEPDIMS, named("ddof", NUMBER)), jax, summary)


REDUCTIONS: Final = (
    _reduction("sum", jnp.sum, "jnp.sum", "sum"),
    _reduction("prod", jnp.prod, "jnp.prod", "product"),
    _reduction("mean", jnp.mean, "jnp.mean", "mean"),
    _spread("var", jnp.var, "jnp.var", "variance; divides by n - ddof"),
    _spread("std", jnp.std, "jnp.std", "standard deviation"),
    _reduction("min", jnp.min, "jnp.min", "smallest", "For the smaller of two arrays, write minimum(a, b)."),
    _reduction("max", jnp.max, "jnp.max", "largest", "For the larger of two arrays, write maximum(a, b)."),
    _reduction("median", jnp.median, "jnp.median", "median"),
    _reduction("any", jnp.any, "jnp.any", "whether one is nonzero"),
    _reduction("all", jnp.all, "jnp.all", "whether all are nonzero"),
    Function("argmin", jnp.argmin, (X, ONE_AXIS, KEEPDIMS), "jnp.argmin", "place of the smallest"),
    Function("argmax", jnp.argmax, (X, ONE_AXIS, KEEPDIMS), "jnp.argmax", "place of the largest"),
    Function(
        "norm",
        jnp.linalg.norm,
        (X, option("ord", ORDER), AXIS_OR_AXES, KEEPDIMS),
        "jnp.linalg.norm",
        "norm of a vector or matrix; the Euclidean without ord",
    ),
    Function(
        "trapezoid",
        jnp.trapezoid,
        (renamed(X, "y"), option("x", ARRAY), option("dx", ARRAY), ONE_AXIS),
        "jnp.trapezoid",
        "integral by the trapezoidal rule",
    ),
)
ALONG: Final = (
    Function("cumsum", jnp.cumsum, (X, ONE_AXIS), "jnp.cumsum", "running sum"),
    Function("cumprod", jnp.cumprod, (X, ONE_AXIS), "jnp.cumprod", "running product"),
    Function("diff", jnp.diff, (X, ONE_AXIS), "jnp.diff", "differences of neighbours"),
    Function(
        "sort", jnp.sort, (X, ONE_AXIS, named("descending", FLAG)), "jnp.sort", "sorted, along the last axis"
    ),
    Function(
        "argsort", jnp.argsort, (X, ONE_AXIS, named("descending", FLAG)), "jnp.argsort", "places, sorted"
    ),
)
