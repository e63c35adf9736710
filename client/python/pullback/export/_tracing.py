"""Tracing a function of trees into a jaxpr of flat leaves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend import core

from pullback.export._examples import Examples, take_apart, tensor_type_of
from pullback.export.errors import ExportError, TracingError
from pullback.program.signature import Result
from pullback.program.trees import Tree


@dataclass(frozen=True, slots=True)
class Traced:
    """A function as JAX sees it.

    Attributes:
        jaxpr: From the leaves of the arguments to those of the result.
        result: The structure and the types of the result.
    """

    jaxpr: core.ClosedJaxpr
    result: Result


def trace(function: Callable[..., Any], values: Sequence[Any], examples: Examples) -> Traced:
    """Traces a function.

    Args:
        function: The function.
        values: The examples themselves, whose containers the function is given.
        examples: What was read from them.

    Raises:
        TracingError: If JAX cannot trace it.
        ExampleError: If its result is of types that programs do not have.
    """
    structure: list[Tree] = []

    def flat(*leaves: Any) -> list[Any]:
        arguments = _like(values, leaves)
        tree, results = take_apart("the result", function(*arguments))
        structure[:] = [tree]
        return [jnp.asarray(result) for result in results]

    try:
        jaxpr = jax.make_jaxpr(flat)(*examples.leaves)
    except ExportError:
        raise
    except Exception as error:
        name = getattr(function, "__name__", "the function")
        raise TracingError(f"JAX cannot trace {name}: {type(error).__name__}: {error}") from error
    types = tuple(map(tensor_type_of, jaxpr.out_avals))
    return Traced(jaxpr, Result(structure[0], types))


def trace_with_constants(function: Callable[..., Any], values: Sequence[Any], examples: Examples) -> Traced:
    """Traces a function with all that depends on no argument computed at once.

    `jax.jit` around the function is taken off, since it would trace constants as well.
    """
    inner = getattr(function, "__wrapped__", function)

    def evaluated(*arguments: Any) -> Any:
        with jax.ensure_compile_time_eval():
            return inner(*arguments)

    return trace(evaluated, values, examples)


def _like(values: Sequence[Any], leaves: Sequence[Any]) -> Any:
    """The leaves in the containers of the examples; the two orders of leaves differ for ordered dicts."""
    template = jax.tree.structure(tuple(values))
    numbers = range(len(leaves))
    _, order = take_apart("the arguments", jax.tree.unflatten(template, numbers))
    placed = dict(zip(order, leaves, strict=True))
    return jax.tree.unflatten(template, [placed[number] for number in numbers])
