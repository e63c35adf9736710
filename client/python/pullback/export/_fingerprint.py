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

import jax
import numpy as np
from jax.extend import core

from pullback.export._equations import HI_CALL, close, has_rules, is_jaxpr, primal_of
from pullback.export._rules import Rules

RulesOf = Callable[[core.JaxprEqn, int], Rules]
_Name = Callable[[Any], str]
_Describe = Callable[[core.JaxprEqn, _Name], str]

# Rules that differ only in rules nested deeper than this are taken for equal. There are functions whose
# rules go on without end, each with another one in it.
_DEEPEST: Final = 4

_ADDRESS: Final = re.compile(r" at 0x[0-9a-f]+")


def fingerprint(jaxpr: core.ClosedJaxpr, rules: RulesOf, captured: Sequence[Any] = ()) -> str:
    """A digest of the jaxpr's content, equal for jaxprs that compute and differentiate alike.

    Args:
        jaxpr: The jaxpr.
        rules: Gives the rules of an equation with custom derivatives, so many rules down.
        captured: The variables that the first arguments stand for, where the jaxpr is a rule.
    """
    return _digest(jaxpr, partial(_deep, rules=rules, path=()), captured)


def _deep(equation: core.JaxprEqn, name: _Name, rules: RulesOf, path: tuple[str, ...]) -> str:
    own_rules = rules(equation, len(path)) if has_rules(equation) else Rules(())
    captured = ",".join(map(name, own_rules.captured))
    own = "|".join(_digest(part, _shallow) for part in (primal_of(equation), *own_rules.jaxprs))
    if own in path:
        return f"{captured}^{path[::-1].index(own)}"
    if len(path) == _DEEPEST:
        return captured + own
    describe = partial(_deep, rules=rules, path=(*path, own))
    # What the function itself computes has its derivatives from these rules, none from rules inside it.
    primal = _shallow(equation, name) if own_rules.jaxprs else _digest(primal_of(equation), describe)
    return captured + "|".join(
        [primal, *(_digest(rule, describe, own_rules.captured) for rule in own_rules.jaxprs)]
    )


def _shallow(equation: core.JaxprEqn, _: _Name) -> str:
    return _digest(primal_of(equation), _shallow)


def _digest(jaxpr: core.ClosedJaxpr, describe: _Describe, aliases: Sequence[Any] = ()) -> str:
    digest = hashlib.sha256()
    for part in _parts(jaxpr, describe, aliases):
        digest.update(f"{len(part)}:{part}".encode())
    return digest.hexdigest()


def _parts(jaxpr: core.ClosedJaxpr, describe: _Describe, aliases: Sequence[Any]) -> Iterator[str]:
    inner = jaxpr.jaxpr
    numbers: dict[Any, int] = {}

    def name(atom: Any) -> str:
        if isinstance(atom, core.Literal):
            return _value(atom.val, _shallow) + f":{atom.aval}"
        return f"%{numbers.setdefault(atom, len(numbers))}:{getattr(atom, 'aval', None)}"

    yield from map(name, inner.constvars)
    yield from (_value(constant, describe) for constant in jaxpr.consts)
    yield from map(name, inner.invars)
    numbers.update(zip(aliases, map(numbers.__getitem__, inner.invars), strict=False))
    for equation in inner.eqns:
        yield equation.primitive.name
        yield from map(name, equation.invars)
        yield _parameters(equation, describe, name)
        yield from map(name, equation.outvars)
    yield from map(name, inner.outvars)


def _parameters(equation: core.JaxprEqn, describe: _Describe, name: _Name) -> str:
    parameters = equation.params
    if has_rules(equation) or equation.primitive.name == HI_CALL:
        return f"{parameters.get('num_consts', 0)} {describe(equation, name)}"
    return ";".join(f"{key}={_value(parameters[key], describe)}" for key in sorted(parameters))


def _value(value: Any, describe: _Describe) -> str:
    if is_jaxpr(value):
        return _digest(close(value), describe)
    if isinstance(value, tuple | list):
        return "(" + ",".join(_value(item, describe) for item in value) + ")"
    if isinstance(value, jax.core.Tracer):
        # Newer JAX versions keep what a function captured as constants of its jaxpr.
        return f"{value.aval}@{id(value)}"
    if isinstance(value, np.generic | np.ndarray) or hasattr(value, "__array__"):
        array = np.asarray(value)
        return f"{array.dtype}{array.shape}{hashlib.sha256(array.tobytes()).hexdigest()}"
    # Functions among parameters print with their address.
    return _ADDRESS.sub("", repr(value))
