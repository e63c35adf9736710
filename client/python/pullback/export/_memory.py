"""Forgetting what JAX remembers of forward rules.

Of an equation with a custom VJP, JAX keeps the forward rule for each choice of differentiated operands, but
the structure of the residuals only for the choice that was traced last. A choice that the rule refuses leaves
no structure, so that those kept fail ("Store empty"): in the export, and in the caller's own derivatives, for
what `jax.jit` traced once is shared. What is forgotten, JAX traces again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from inspect import getclosurevars, isfunction
from types import MappingProxyType
from typing import Any, Final

from jax.extend import core

from pullback.export._equations import VJP_CALL, all_equations

_RULE: Final = "fwd_jaxpr_thunk"
_MEMORY: Final = "cells"
# The names by which JAX's functions refer to the rules that they stand for: each tracing adds some.
_NEXT: Final = ("fn", "fwd", _RULE)
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


def forget_forward_rules(jaxpr: core.ClosedJaxpr) -> None:
    """Empties JAX's memory of the forward rules of all equations, those of nested jaxprs included."""
    for equation in all_equations(jaxpr):
        if equation.primitive.name == VJP_CALL:
            for memory in _memories(equation.params.get(_RULE)):
                memory.clear()


def _memories(rule: Any) -> Iterator[dict[Any, Any]]:
    enclosed = _enclosed(rule)
    memory = enclosed.get(_MEMORY)
    if isinstance(memory, dict):
        yield memory
    for name in _NEXT:
        if name in enclosed:
            yield from _memories(enclosed[name])


def _enclosed(rule: Any) -> Mapping[str, Any]:
    """What a function of JAX, maybe wrapped by JAX, closed over; nothing for all else."""
    function = getattr(rule, "f", rule)
    if isfunction(function) and function.__module__.startswith("jax."):
        return getclosurevars(function).nonlocals
    return _NOTHING
