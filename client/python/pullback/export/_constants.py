"""Large arrays that a function closes over, set apart from its modules.

They become arguments of the entry module, behind those of the function, so that each array travels
once and is stored once for all programs that use it. Arrays in derivative rules stay where they are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import jax
import numpy as np
from jax.extend import core

from pullback.export._equations import bind, close, types_of
from pullback.export._examples import tensor_type_of
from pullback.program.container import Buffer, Constant

LARGE_BYTES: Final = 1 << 18
"""From here on an array is set apart."""

_CALL: Final = "jit"


@dataclass(frozen=True, slots=True)
class Opened:
    """A function whose large constants are arguments.

    Attributes:
        jaxpr: Takes the function's arguments, then the constants.
        constants: The constants' types and digests.
        attachments: Their bytes by their digests.
    """

    jaxpr: core.ClosedJaxpr
    constants: tuple[Constant, ...]
    attachments: Mapping[str, Buffer]


def set_apart(jaxpr: core.ClosedJaxpr) -> Opened:
    """Makes arguments of a function's large constants, those of nested `jax.jit` included."""
    if _has_large_inside(jaxpr):
        jaxpr = jax.make_jaxpr(lambda *inputs: _inlined(jaxpr, inputs))(*types_of(jaxpr.in_avals))
    numbers = [number for number, value in enumerate(jaxpr.consts) if _is_large(value)]
    if not numbers:
        return Opened(jaxpr, (), {})
    arrays = [np.asarray(jaxpr.consts[number]) for number in numbers]
    buffers = [np.ascontiguousarray(array).reshape(-1).view(np.uint8).data for array in arrays]
    constants = tuple(
        Constant(tensor_type_of(array), hashlib.sha256(buffer).hexdigest())
        for array, buffer in zip(arrays, buffers, strict=True)
    )
    attachments = {constant.digest: buffer for constant, buffer in zip(constants, buffers, strict=True)}
    return Opened(_open(jaxpr, numbers), constants, attachments)


def _open(jaxpr: core.ClosedJaxpr, numbers: Sequence[int]) -> core.ClosedJaxpr:
    inputs = types_of(jaxpr.in_avals)

    def function(*given: Any) -> Any:
        constants = list(jaxpr.consts)
        for number, value in zip(numbers, given[len(inputs) :], strict=True):
            constants[number] = value
        return core.jaxpr_as_fun(core.ClosedJaxpr(jaxpr.jaxpr, constants))(*given[: len(inputs)])

    return jax.make_jaxpr(function)(*inputs, *types_of([jaxpr.consts[number] for number in numbers]))


def _is_large(value: Any) -> bool:
    return getattr(value, "nbytes", 0) >= LARGE_BYTES


def _has_large_inside(jaxpr: core.ClosedJaxpr) -> bool:
    calls = [close(eqn.params["jaxpr"]) for eqn in jaxpr.jaxpr.eqns if eqn.primitive.name == _CALL]
    return any(any(map(_is_large, call.consts)) or _has_large_inside(call) for call in calls)


def _inlined(jaxpr: core.ClosedJaxpr, inputs: Sequence[Any]) -> list[Any]:
    """Evaluates a jaxpr without the calls whose constants are large."""
    values: dict[Any, Any] = dict(zip(jaxpr.jaxpr.constvars, jaxpr.consts, strict=True))
    values.update(zip(jaxpr.jaxpr.invars, inputs, strict=True))

    def read(atom: Any) -> Any:
        return atom.val if isinstance(atom, core.Literal) else values[atom]

    for equation in jaxpr.jaxpr.eqns:
        outputs = _applied(equation, [read(atom) for atom in equation.invars])
        values.update(zip(equation.outvars, outputs, strict=True))
    return [read(atom) for atom in jaxpr.jaxpr.outvars]


def _applied(equation: core.JaxprEqn, inputs: Sequence[Any]) -> list[Any]:
    if equation.primitive.name == _CALL:
        called = close(equation.params["jaxpr"])
        if any(map(_is_large, called.consts)) or _has_large_inside(called):
            return _inlined(called, inputs)
    return bind(equation, inputs)
