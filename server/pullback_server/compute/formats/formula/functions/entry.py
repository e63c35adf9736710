"""What the table says about a function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from pullback_server.compute.formats.formula.functions.kinds import ARRAY, AXES, AXIS, FLAG, Kind


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a function.

    Attributes:
        name: Its name, as in JAX.
        kind: What it takes.
        required: Whether it must be given; required parameters come first.
        named: Whether it can be given by name only, such as `axis`: `max(x, 0)` should never be
            mistaken for `maximum(x, 0)`.
        repeated: Whether it takes all further arguments.
    """

    name: str
    kind: Kind
    required: bool = True
    named: bool = False
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the language.

    Attributes:
        name: How it is called.
        rule: What it does: required arguments by position, optional ones by name where they are given.
        parameters: What it takes.
        jax: JAX's name for it, or an expression in JAX's names.
        summary: What it gives, for the reference.
        aliases: Other names.
        hint: What is often meant instead, for messages.
    """

    name: str
    rule: Callable[..., Any]
    parameters: tuple[Parameter, ...]
    jax: str
    summary: str
    aliases: tuple[str, ...] = ()
    hint: str = ""

    @property
    def usage(self) -> str:
        """How to call it, such as `sum(x, axis=, keepdims=)`."""
        return f"{self.name}({', '.join(map(_usage, self.parameters))})"


def _usage(parameter: Parameter) -> str:
    if parameter.repeated:
        return f"{parameter.name}, ..."
    return parameter.name if parameter.required else f"{parameter.name}="


X: Final = Parameter("x", ARRAY)
A: Final = Parameter("a", ARRAY)
B: Final = Parameter("b", ARRAY)
AXIS_OR_AXES: Final = Parameter("axis", AXES, required=False, named=True)
ONE_AXIS: Final = Parameter("axis", AXIS, required=False, named=True)
KEEPDIMS: Final = Parameter("keepdims", FLAG, required=False, named=True)


def option(name: str, kind: Kind) -> Parameter:
    """A parameter that can be left out and can also be given by position."""
    return Parameter(name, kind, required=False)


def named(name: str, kind: Kind) -> Parameter:
    """A parameter that can be left out and is given by name."""
    return Parameter(name, kind, required=False, named=True)


def renamed(parameter: Parameter, name: str) -> Parameter:
    """The same parameter under another name."""
    return replace(parameter, name=name)


def unary(name: str, rule: Callable[..., Any], jax: str, summary: str, *aliases: str) -> Function:
    """A function of one array, element by element."""
    return Function(name, rule, (X,), jax, summary, aliases)


def binary(name: str, rule: Callable[..., Any], jax: str, summary: str, *aliases: str) -> Function:
    """A function of two arrays."""
    return Function(name, rule, (A, B), jax, summary, aliases)
