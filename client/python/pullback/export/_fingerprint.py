"""The content of a jaxpr as a digest: variables numbered, constants by value, rules by what they trace to.

Derivative rules are Python functions, made anew in every trace, and a rule may use its own function
again (that of `logaddexp` does). So a rule is known by the jaxpr that it traces to, and one that occurs
inside itself by how many levels up it stands.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Final

import numpy as np
from jax.extend import core

from pullback.export._equations import HI_CALL, close, has_rules, is_jaxpr, primal_of

Rules = Callable[[core.JaxprEqn], Sequence[core.ClosedJaxpr]]
_Describe = Callable[[core.JaxprEqn], str]

# Rules that differ only in rules nested deeper than this are taken for equal. There are functions whose
# rules go on without end, each with another one in it.
_DEEPEST: Final = 4

_ADDRESS: Final = re.compile(r" at 0x[0-9a-f]+")


def fingerprint(jaxpr: core.ClosedJaxpr, rules: Rules) -> str:
    """A digest of the jaxpr's content, equal for jaxprs that compute and differentiate alike.

    Args:
        jaxpr: The jaxpr.
        rules: Gives the jaxprs of the rules of an equation with custom derivatives.
    """
    return _digest(jaxpr, partial(_deep, rules=rules, path=()))


def _deep(equation: core.JaxprEqn, rules: Rules, path: tuple[str, ...]) -> str:
    parts = [primal_of(equation), *(rules(equation) if has_rules(equation) else ())]
    own = "|".join(_digest(part, _shallow) for part in parts)
    if own in path:
        return f"^{path[::-1].index(own)}"
    if len(path) == _DEEPEST:
        return own
    describe = partial(_deep, rules=rules, path=(*path, own))
    return "|".join(_digest(part, describe) for part in parts)


def _shallow(equation: core.JaxprEqn) -> str:
    return _digest(primal_of(equation), _shallow)


def _digest(jaxpr: core.ClosedJaxpr, describe: _Describe) -> str:
    digest = hashlib.sha256()
    for part in _parts(jaxpr, describe):
        digest.update(f"{len(part)}:{part}".encode())
    return digest.hexdigest()


def _parts(jaxpr: core.ClosedJaxpr, describe: _Describe) -> Iterator[str]:
    inner = jaxpr.jaxpr
    numbers: dict[Any, int] = {}

    def name(atom: Any) -> str:
        if isinstance(atom, core.Literal):
            return _value(atom.val, describe) + f":{atom.aval}"
        return f"%{numbers.setdefault(atom, len(numbers))}:{atom.aval}"

    yield from map(name, inner.constvars)
    yield from (_value(constant, describe) for constant in jaxpr.consts)
    yield from map(name, inner.invars)
    for equation in inner.eqns:
        yield equation.primitive.name
        yield from map(name, equation.invars)
        yield _parameters(equation, describe)
        yield from map(name, equation.outvars)
    yield from map(name, inner.outvars)


def _parameters(equation: core.JaxprEqn, describe: _Describe) -> str:
    parameters = equation.params
    if has_rules(equation) or equation.primitive.name == HI_CALL:
        return f"{parameters.get('num_consts', 0)} {describe(equation)}"
    return ";".join(f"{key}={_value(parameters[key], describe)}" for key in sorted(parameters))


def _value(value: Any, describe: _Describe) -> str:
    if is_jaxpr(value):
        return _digest(close(value), describe)
    if isinstance(value, tuple | list):
        return "(" + ",".join(_value(item, describe) for item in value) + ")"
    if isinstance(value, np.generic | np.ndarray) or hasattr(value, "__array__"):
        array = np.asarray(value)
        return f"{array.dtype}{array.shape}{hashlib.sha256(array.tobytes()).hexdigest()}"
    # Functions among parameters print with their address.
    return _ADDRESS.sub("", repr(value))
