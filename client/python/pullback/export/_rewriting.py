"""Rewriting a jaxpr so that its plain lowering keeps what JAX knows about derivatives.

Each operation that would lose its derivative becomes a composite; rules and loop bodies become
further modules. All else is left as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
from jax.extend import core

from pullback.export._artifact import artifact_of
from pullback.export._equations import VJP_CALL, bind, close, function_of, is_jaxpr, types_of
from pullback.export._fingerprint import fingerprint
from pullback.export._rules import jvp_rule, vjp_rules
from pullback.program.composites import DEEPEST_RULES
from pullback.program.container import StableHlo

Handler = Callable[["Rewriting", core.JaxprEqn, Sequence[Any]], list[Any]]


class Rewriting:
    """One export under way: the modules made so far, and what was rewritten already.

    Args:
        handlers: What to emit for a primitive, by its name, in place of the primitive itself.
    """

    def __init__(self, handlers: dict[str, Handler]) -> None:
        self._handlers = handlers
        self._modules: list[bytes] = []
        self._waiting: list[tuple[int, core.ClosedJaxpr]] = []
        self._level = 0
        self._indices: dict[str, int] = {}
        # Keyed by identity, so that a jaxpr that is used twice is lowered to one function; the
        # originals are kept, lest an address is used again.
        self._rewritten: dict[int, tuple[Any, core.ClosedJaxpr]] = {}
        self._rules: dict[int, tuple[core.JaxprEqn, tuple[core.ClosedJaxpr, ...]]] = {}

    def export(self, jaxpr: core.ClosedJaxpr) -> StableHlo:
        """The jaxpr, rewritten, and all modules that it refers to.

        Derivative rules are made level by level, so that each is as near to the function as it can be.
        """
        entry = self._artifact(jaxpr)
        while self._waiting:
            self._level += 1
            level, self._waiting = self._waiting, []
            for index, rule in level:
                self._modules[index] = self._artifact(rule)
        return StableHlo(entry, tuple(self._modules))

    def body(self, jaxpr: core.ClosedJaxpr) -> int:
        """The index of the module that holds the body of a loop or a part of a solver."""
        index, is_new = self._index(jaxpr)
        if is_new:
            self._modules[index] = self._artifact(jaxpr)
        return index

    def rule_indices(self, equation: core.JaxprEqn) -> tuple[int | None, ...]:
        """The indices of the modules that hold an equation's rules, or None where they lie too far away."""
        rules = self._rules_of(equation)
        if self._level == DEEPEST_RULES:
            return (None,) * len(rules)
        return tuple(map(self._rule_index, rules))

    def _rule_index(self, rule: core.ClosedJaxpr) -> int:
        index, is_new = self._index(rule)
        if is_new:
            self._waiting.append((index, rule))
        return index

    def _index(self, jaxpr: core.ClosedJaxpr) -> tuple[int, bool]:
        key = fingerprint(jaxpr, self._rules_of)
        is_new = key not in self._indices
        if is_new:
            self._indices[key] = len(self._modules)
            self._modules.append(b"")
        return self._indices[key], is_new

    def _artifact(self, jaxpr: core.ClosedJaxpr) -> bytes:
        return artifact_of(function_of(self.rewrite(jaxpr), "main"), types_of(jaxpr.in_avals))

    def _rules_of(self, equation: core.JaxprEqn) -> tuple[core.ClosedJaxpr, ...]:
        if id(equation) not in self._rules:
            reverse_only = equation.primitive.name == VJP_CALL
            rules = vjp_rules(equation) if reverse_only else (jvp_rule(equation),)
            self._rules[id(equation)] = (equation, rules)
        return self._rules[id(equation)][1]

    def rewrite(self, jaxpr: Any) -> core.ClosedJaxpr:
        """The jaxpr with composites."""
        if id(jaxpr) not in self._rewritten:
            closed = close(jaxpr)
            rewritten = jax.make_jaxpr(lambda *inputs: self._evaluate(closed, inputs))(
                *types_of(closed.in_avals)
            )
            self._rewritten[id(jaxpr)] = (jaxpr, rewritten)
        return self._rewritten[id(jaxpr)][1]

    def _evaluate(self, jaxpr: core.ClosedJaxpr, inputs: Sequence[Any]) -> list[Any]:
        inner = jaxpr.jaxpr
        values: dict[Any, Any] = dict(zip(inner.constvars, jaxpr.consts, strict=True))
        values.update(zip(inner.invars, inputs, strict=True))

        def read(atom: Any) -> Any:
            return atom.val if isinstance(atom, core.Literal) else values[atom]

        for equation in inner.eqns:
            handler = self._handlers.get(equation.primitive.name, _leave)
            outputs = handler(self, equation, [read(atom) for atom in equation.invars])
            values.update(zip(equation.outvars, outputs, strict=True))
        return [read(atom) for atom in inner.outvars]


def _leave(rewriting: Rewriting, equation: core.JaxprEqn, inputs: Sequence[Any]) -> list[Any]:
    """Emits an equation as it is, with the jaxprs among its parameters rewritten."""
    changes = {
        name: _rewrite_parameter(rewriting, value)
        for name, value in equation.params.items()
        if is_jaxpr(value) or (isinstance(value, tuple) and any(map(is_jaxpr, value)))
    }
    return bind(equation, inputs, **changes)


def _rewrite_parameter(rewriting: Rewriting, value: Any) -> Any:
    return tuple(map(rewriting.rewrite, value)) if isinstance(value, tuple) else rewriting.rewrite(value)
