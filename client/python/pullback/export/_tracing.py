"""Tracing a function of trees into a jaxpr of flat leaves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend import core

from pullback.export._examples import Examples, key_implementation, take_apart, tensor_type_of
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
        arguments = _like(values, list(map(_wrapped, leaves, examples.keys)))
        tree, results = take_apart("the result", function(*arguments), keep=True)
        structure[:] = [tree]
        return list(map(_as_array, results))

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


def _wrapped(leaf: Any, implementation: str | None) -> Any:
    """A random key from its data; any other leaf as it is."""
    return leaf if implementation is None else jax.random.wrap_key_data(leaf, impl=implementation)


def _as_array(result: Any) -> Any:
    return jnp.asarray(result) if key_implementation(result) is None else jax.random.key_data(result)


@dataclass(frozen=True)
class _Place:
    """Stands for a leaf of the examples while leaves are put in their places."""

    number: int


@dataclass(frozen=True)
class _ArrayPlace(_Place):
    """Stands for an array, which is what containers of this process's own types are taken apart into."""

    shape: tuple[int, ...] = ()
    dtype: Any = None


def _like(values: Sequence[Any], leaves: Sequence[Any]) -> Any:
    """The leaves in the containers of the examples; the two orders of leaves differ for ordered dicts."""
    originals, template = jax.tree.flatten(tuple(values))
    places = [
        _ArrayPlace(number) if hasattr(leaf, "shape") and hasattr(leaf, "dtype") else _Place(number)
        for number, leaf in enumerate(originals)
    ]
    _, order = take_apart("the arguments", jax.tree.unflatten(template, places))
    placed = {place.number: leaf for place, leaf in zip(order, leaves, strict=True)}
    return jax.tree.unflatten(template, [placed.get(i, original) for i, original in enumerate(originals)])
