"""The parameters of a composite, which strangers wrote: typed and known, or refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from pullback.program.composites import Kind, Parameters
from pullback.program.elements import ElementType
from pullback.program.tensors import TensorType
from pullback_server.compute.formats.stablehlo.building import Emit, Routine, Scope
from pullback_server.compute.formats.stablehlo.failures import malformed
from pullback_server.compute.formats.stablehlo.syntax import Operation, Types

Values = Mapping[str, Any]
BuildComposite = Callable[[Operation, Scope, Values], Emit]
"""Checks a composite whose parameters were decoded, and gives what emits it."""


def decode(operation: Operation, schema: Parameters) -> dict[str, Any]:
    """The parameters of a composite by name; an optional one that is absent is None.

    Raises:
        ServiceError: MALFORMED_PROGRAM if one is missing, unknown or of another kind.
    """
    stated = operation.attributes.get("composite_attributes", {})
    unknown = sorted(set(stated) - set(schema))
    if unknown:
        raise malformed(name_of(operation), f"has the unknown parameter {unknown[0]!r}")
    values = {}
    for name, parameter in schema.items():
        if name not in stated and not parameter.optional:
            raise malformed(name_of(operation), f"lacks its parameter {name!r}")
        values[name] = stated.get(name)
        if name in stated and not _CHECKS[parameter.kind](stated[name]):
            raise malformed(
                name_of(operation), f"has {name}={stated[name]!r}, where {parameter.kind.value} belongs"
            )
    return values


def name_of(operation: Operation) -> str:
    """The composite's own name."""
    return str(operation.attributes["name"])


def require_count(operation: Operation, name: str, value: int, most: int) -> int:
    """A parameter that counts something, from 0 to `most`.

    Raises:
        ServiceError: MALFORMED_PROGRAM if it is out of range.
    """
    if not 0 <= value <= most:
        raise malformed(name_of(operation), f"has {name}={value}, which should lie between 0 and {most}")
    return value


def require_signature(operation: Operation, routine: Routine, arguments: Types, results: Types) -> None:
    """Requires that a function that a composite refers to takes and gives what it should.

    Raises:
        ServiceError: MALFORMED_PROGRAM if it does not.
    """
    actual = (routine.argument_types, routine.result_types)
    if actual != (arguments, results):
        raise malformed(
            name_of(operation),
            f"refers to {routine.name} of type {_spell(*actual)}, where {_spell(arguments, results)} belongs",
        )


def differentiable(types: Types) -> Types:
    """Those of the types that have derivatives."""
    return tuple(filter(_is_differentiable, types))


def _is_differentiable(tensor_type: TensorType) -> bool:
    return tensor_type.element.differentiable


def _spell(arguments: Types, results: Types) -> str:
    return f"({', '.join(map(str, arguments))}) -> ({', '.join(map(str, results))})"


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_CHECKS: Final[Mapping[Kind, Callable[[Any], bool]]] = {
    Kind.INTEGER: _is_integer,
    Kind.MODULE: _is_integer,
    Kind.INTEGERS: lambda value: isinstance(value, tuple) and all(map(_is_integer, value)),
    Kind.FLAG: lambda value: isinstance(value, bool),
    Kind.NUMBER: lambda value: isinstance(value, float),
    Kind.TEXT: lambda value: isinstance(value, str),
    Kind.TEXTS: lambda value: isinstance(value, tuple) and all(isinstance(item, str) for item in value),
    Kind.ELEMENT: lambda value: (
        isinstance(value, str) and value in {element.value for element in ElementType}
    ),
}
