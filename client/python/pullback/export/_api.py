"""From a JAX function to a program."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

import jax

from pullback.export import _checks, _foreign, _library, _structures
from pullback.export._constants import set_apart
from pullback.export._examples import Examples, names_of, needs_wide_types, read_examples
from pullback.export._refusals import refuse_unservable
from pullback.export._rewriting import Rewriting
from pullback.export._symbolic import export_symbolic, is_symbolic
from pullback.export._tracing import Traced, trace, trace_with_constants
from pullback.export.errors import ExampleError, RuleClosureError, TracingError
from pullback.program.container import Buffer, Producer, Program, StableHlo
from pullback.program.signature import Result, Signature

_HANDLERS: Final = {
    **_checks.HANDLERS,
    **_foreign.HANDLERS,
    **_library.HANDLERS,
    **_structures.HANDLERS,
}


def export(
    function: Callable[..., Any], *examples: Any, argument_names: Sequence[str] | None = None
) -> Program:
    """Exports a JAX function as derivative-faithful StableHLO.

    Args:
        function: A function of arrays, or of dicts, lists, tuples, named tuples and None of arrays, that
            JAX can trace. `jax.jit` around it is no hindrance.
        *examples: One value per argument, of which only structure, shapes and element types count:
            arrays, numpy arrays, `jax.ShapeDtypeStruct`, numbers. If any has a 64-bit type, then 64-bit
            types are kept; otherwise JAX's own setting decides. Sizes may be symbols
            (`jax.export.symbolic_shape`): then one program serves every size.
        argument_names: The arguments' names, if not those of the function's parameters.

    Returns:
        The program: StableHLO modules and the signature; of symbolic sizes, an artifact of `jax.export`,
        which says its signature itself. Equal functions give equal bytes, but artifacts also say where
        they were made.

    Raises:
        ExportError: If the function cannot be exported; the subclasses in `pullback.export.errors` say why.
    """
    names = tuple(argument_names) if argument_names is not None else names_of(function, len(examples))
    if len(names) != len(examples):
        raise ExampleError(f"{len(names)} argument names were given for {len(examples)} examples")
    keep_wide = jax.enable_x64(True) if needs_wide_types(examples) else contextlib.nullcontext()
    dependencies = {package: version(package) for package in ("jax", "jaxlib")}
    producer = Producer("pullback-python", _own_version(), dependencies)
    if is_symbolic(examples):
        with keep_wide:
            return Program(export_symbolic(function, examples, names), Signature(()), producer)
    with keep_wide:
        read = read_examples(examples, names)
        body, result, attachments = _body(function, examples, read)
    return Program(body, Signature(read.arguments, result), producer, attachments)


def _body(
    function: Callable[..., Any], values: Sequence[Any], read: Examples
) -> tuple[StableHlo, Result, Mapping[str, Buffer]]:
    traced = trace(function, values, read)
    try:
        return _rewritten(traced)
    except RuleClosureError as error:
        # A rule uses an array that was traced with the function. If it depends on no argument, then
        # it can be computed beforehand; that makes larger programs, and so is not the first choice.
        with contextlib.suppress(RuleClosureError, TracingError):
            return _rewritten(trace_with_constants(function, values, read))
        with contextlib.suppress(RuleClosureError):
            return _rewritten(traced, lenient=True)
        raise error from error.__cause__


def _rewritten(traced: Traced, *, lenient: bool = False) -> tuple[StableHlo, Result, Mapping[str, Buffer]]:
    refuse_unservable(traced.jaxpr)
    opened = set_apart(traced.jaxpr)
    body = replace(
        Rewriting(_HANDLERS, refuse_unservable, lenient=lenient).export(opened.jaxpr),
        constants=opened.constants,
    )
    return body, traced.result, opened.attachments


def _own_version() -> str:
    try:
        return version("pullback")
    except PackageNotFoundError:
        # Run from a checkout that is not installed.
        return "0"
