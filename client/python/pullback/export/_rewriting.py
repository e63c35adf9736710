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
from pullback.export._equations import JVP_CALL, bind, close, function_of, is_jaxpr, types_of
from pullback.export._fingerprint import fingerprint
from pullback.export._rules import jvp_rule, vjp_rules

Handler = Callable[["Rewriting", core.JaxprEqn, Sequence[Any]], list[Any]]


class Rewriting:
    """One export under way: the modules made so far, and what was rewritten already.

    Args:
        handlers: What to emit for a primitive, by its name, in place of the primitive itself.
    """

    def __init__(self, handlers: dict[str, Handler]) -> None:
        self._handlers = handlers
        self._modules: list[bytes] = []
        self._indices: dict[str, int] = {}
        # Keyed by identity, so that a jaxpr that is used twice is lowered to one function; the
        # originals are kept, lest an address is used again.
        self._rewritten: dict[int, tuple[Any, core.ClosedJaxpr]] = {}
        self._rules: dict[int, tuple[core.JaxprEqn, tuple[core.ClosedJaxpr, ...]]] = {}

    @property
    def modules(self) -> tuple[bytes, ...]:
        """The modules that composites refer to, in the order of their indices."""
        return tuple(self._modules)

    def artifact(self, jaxpr: core.ClosedJaxpr) -> bytes:
        """The jaxpr, rewritten, as a portable artifact."""
        return artifact_of(function_of(self.rewrite(jaxpr), "main"), types_of(jaxpr.in_avals))

    def module(self, jaxpr: core.ClosedJaxpr) -> int:
        """The index of the module that holds this jaxpr, made if it is not there yet."""
        key = fingerprint(jaxpr, self.rules)
        if key not in self._indices:
            index = self._indices[key] = len(self._modules)
            # Reserved first: the module may refer to itself.
            self._modules.append(b"")
            self._modules[index] = self.artifact(jaxpr)
        return self._indices[key]

    def rules(self, equation: core.JaxprEqn) -> tuple[core.ClosedJaxpr, ...]:
        """The rules of an equation with custom derivatives: one JVP, or forward and backward."""
        if id(equation) not in self._rules:
            custom_jvp = equation.primitive.name == JVP_CALL
            rules = (jvp_rule(equation),) if custom_jvp else vjp_rules(equation)
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
