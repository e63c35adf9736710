"""From a JAX function to a program."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

import jax

from pullback.export import _library, _structures
from pullback.export._examples import Examples, names_of, needs_wide_types, read_examples
from pullback.export._refusals import refuse_unservable
from pullback.export._rewriting import Rewriting
from pullback.export._tracing import trace, trace_with_constants
from pullback.export.errors import ExampleError, RuleClosureError, TracingError
from pullback.program.container import Producer, Program, StableHlo
from pullback.program.signature import Result, Signature

_HANDLERS: Final = {**_library.HANDLERS, **_structures.HANDLERS}


def export(
    function: Callable[..., Any], *examples: Any, argument_names: Sequence[str] | None = None
) -> Program:
    """Exports a JAX function as derivative-faithful StableHLO.

    Args:
        function: A function of arrays, or of dicts, lists, tuples, named tuples and None of arrays, that
            JAX can trace. `jax.jit` around it is no hindrance.
        *examples: One value per argument, of which only structure, shapes and element types count:
            arrays, numpy arrays, `jax.ShapeDtypeStruct`, numbers. If any has a 64-bit type, then 64-bit
            types are kept; otherwise JAX's own setting decides.
        argument_names: The arguments' names, if not those of the function's parameters.

    Returns:
        The program: StableHLO modules and the signature. Equal functions give equal bytes.

    Raises:
        ExportError: If the function cannot be exported; the subclasses in `pullback.export.errors` say why.
    """
    names = tuple(argument_names) if argument_names is not None else names_of(function, len(examples))
    if len(names) != len(examples):
        raise ExampleError(f"{len(names)} argument names were given for {len(examples)} examples")
    keep_wide = jax.enable_x64(True) if needs_wide_types(examples) else contextlib.nullcontext()
    with keep_wide:
        read = read_examples(examples, names)
        body, result = _body(function, examples, read)
    dependencies = {package: version(package) for package in ("jax", "jaxlib")}
    return Program(
        body,
        Signature(read.arguments, result),
        Producer("pullback-python", _own_version(), dependencies),
    )


def _body(function: Callable[..., Any], values: Sequence[Any], read: Examples) -> tuple[StableHlo, Result]:
    try:
        traced = trace(function, values, read)
        refuse_unservable(traced.jaxpr)
        return Rewriting(_HANDLERS).export(traced.jaxpr), traced.result
    except RuleClosureError as error:
        # A rule uses an array that was traced with the function. If it depends on no argument, then
        # it can be computed beforehand; that makes larger programs, and so is not the first choice.
        try:
            traced = trace_with_constants(function, values, read)
        except TracingError:
            raise error from error.__cause__
        return Rewriting(_HANDLERS).export(traced.jaxpr), traced.result


def _own_version() -> str:
    try:
        return version("pullback")
    except PackageNotFoundError:
        # Run from a checkout that is not installed.
        return "0"
