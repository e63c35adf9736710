"""Rewriting a jaxpr so that its plain lowering keeps what JAX knows about derivatives.

Each operation that would lose its derivative becomes a composite; rules and loop bodies become
further modules. All else is left as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, Final

import jax
from jax.extend import core

from pullback.export._artifact import artifact_of
from pullback.export._equations import (
    VJP_CALL,
    all_equations,
    bind,
    close,
    function_of,
    is_jaxpr,
    primal_of,
    types_of,
)
from pullback.export._fingerprint import fingerprint
from pullback.export._memory import forget_forward_rules
from pullback.export._rules import ADVICE, Rules, jvp_rule, vjp_rules
from pullback.export.errors import RuleClosureError
from pullback.program.composites import DEEPEST_RULES
from pullback.program.container import StableHlo

# Rules without end take longer to trace from level to level, as JAX traces those before them each time. What
# counts is how much was traced, not how long it took: a digest must not depend on a machine's speed.
_LEAST_RULES: Final = 2
_PATIENCE_EQUATIONS: Final = 1500

# Rules that are used by rules so many levels up are left out where a function has more equations than this:
# those of an integrated adjoint equation (`jax.experimental.ode.odeint`) treble with every order.
_FAR: Final = 3
_LARGE: Final = 1000

Handler = Callable[["Rewriting", core.JaxprEqn, Sequence[Any]], list[Any]]


class Rewriting:
    """One export under way: the modules made so far, and what was rewritten already.

    Args:
        handlers: What to emit for a primitive, by its name, in place of the primitive itself.
        check: Refuses a derivative rule that cannot be served.
        lenient: Whether a rule inside a rule may be missing, because it captured what is out of reach.
    """

    def __init__(
        self,
        handlers: dict[str, Handler],
        check: Callable[[core.ClosedJaxpr], None],
        *,
        lenient: bool = False,
    ) -> None:
        self._handlers = handlers
        self._check = check
        self._lenient = lenient
        self._modules: list[bytes] = []
        self._waiting: list[tuple[int, core.ClosedJaxpr]] = []
        self._level = 0
        self._is_last = False
        self._indices: dict[str, int] = {}
        # Keyed by identity, so that a jaxpr that is used twice is lowered to one function; the
        # originals are kept, lest an address is used again.
        self._rewritten: dict[tuple[int, bool], tuple[Any, core.ClosedJaxpr]] = {}
        self._rules: dict[int, tuple[core.JaxprEqn, Rules]] = {}
        self._captured: dict[int, tuple[Any, ...]] = {}
        self._scopes: list[dict[Any, Any]] = []
        self._has_derivatives = True
        self._traced: list[core.ClosedJaxpr] = []

    def export(self, jaxpr: core.ClosedJaxpr) -> StableHlo:
        """The jaxpr, rewritten, and all modules that it refers to.

        Derivative rules are made level by level, so that each is as near to the function as it can be.
        """
        self._traced.append(jaxpr)
        entry = self._artifact(jaxpr)
        while self._waiting:
            self._level += 1
            traced = sum(1 for rule in self._traced for _ in all_equations(rule))
            out_of_patience = traced > _PATIENCE_EQUATIONS
            self._is_last = self._level >= (_LEAST_RULES if out_of_patience else DEEPEST_RULES)
            level, self._waiting = self._waiting, []
            for index, rule in level:
                self._modules[index] = self._artifact(rule)
        return StableHlo(entry, tuple(self._modules))

    @property
    def _follows_rules(self) -> bool:
        return self._has_derivatives and not self._is_last

    def body(self, jaxpr: core.ClosedJaxpr) -> int:
        """The index of the module that holds the body of a loop or a part of a solver."""
        index, is_new = self._index(jaxpr)
        if is_new:
            self._modules[index] = self._artifact(jaxpr)
        return index

    def rules(self, equation: core.JaxprEqn) -> tuple[tuple[int | None, ...], list[Any]]:
        """The modules that hold an equation's rules, and the values that the rules captured.

        Returns:
            The indices of the modules, or None where they lie too far away or JAX cannot trace them; and
            the captured values.

        Raises:
            RuleClosureError: If a rule captured a value from outside the jaxpr that the equation stands in.
        """
        if not self._follows_rules:
            return (None,) * _count_rules(equation), []
        rules = self._rules_of(equation)
        scope = self._scopes[-1]
        out_of_reach = any(variable not in scope for variable in rules.captured)
        if out_of_reach and not (self._lenient and self._level):
            raise RuleClosureError(ADVICE)
        if out_of_reach or not rules.jaxprs:
            return (None,) * _count_rules(equation), []
        indices = tuple(self._rule_index(jaxpr, rules.captured) for jaxpr in rules.jaxprs)
        return indices, [scope[variable] for variable in rules.captured]

    def fixed(self, equation: core.JaxprEqn) -> tuple[int, ...]:
        """The numbers of operands that are constants to an equation's rules beside those it says."""
        return self._rules_of(equation).fixed if self._follows_rules else ()

    def _rule_index(self, rule: core.ClosedJaxpr, captured: tuple[Any, ...]) -> int:
        self._captured[id(rule)] = captured
        index, is_new = self._index(rule, captured)
        if is_new:
            self._check(rule)
            self._traced.append(rule)
            self._waiting.append((index, rule))
        return index

    def _index(self, jaxpr: core.ClosedJaxpr, captured: tuple[Any, ...] = ()) -> tuple[int, bool]:
        rules = self._rules_of if self._follows_rules else _no_rules
        key = f"{self._follows_rules} {fingerprint(jaxpr, rules, captured)}"
        is_new = key not in self._indices
        if is_new:
            self._indices[key] = len(self._modules)
            self._modules.append(b"")
        return self._indices[key], is_new

    def _artifact(self, jaxpr: core.ClosedJaxpr) -> bytes:
        return artifact_of(function_of(self.rewrite(jaxpr), "main"), types_of(jaxpr.in_avals))

    def _rules_of(self, equation: core.JaxprEqn, ahead: int = 0) -> Rules:
        if self._level + ahead >= _FAR and _is_large(equation):
            return Rules(())
        if id(equation) not in self._rules:
            self._rules[id(equation)] = (equation, self._make_rules(equation))
        return self._rules[id(equation)][1]

    def _make_rules(self, equation: core.JaxprEqn) -> Rules:
        try:
            if equation.primitive.name == VJP_CALL:
                return vjp_rules(equation, self._forget)
            return jvp_rule(equation)
        except RuleClosureError:
            if not self._lenient:
                raise
            return Rules((), captured=(None,))
        except Exception:  # noqa: BLE001 -- whatever a user's rule raises
            # JAX has no derivative here either; the function still has values.
            self._forget()
            return Rules(())

    def _forget(self) -> None:
        """Undoes what a refused derivative did to others, in whose jaxprs the same equations stand."""
        for jaxpr in self._traced:
            forget_forward_rules(jaxpr)

    def rewrite(self, jaxpr: Any) -> core.ClosedJaxpr:
        """The jaxpr with composites."""
        key = id(jaxpr), self._follows_rules
        if key not in self._rewritten:
            closed, captured = close(jaxpr), self._captured.get(id(jaxpr), ())
            rewritten = jax.make_jaxpr(lambda *inputs: self._evaluate(closed, inputs, captured))(
                *types_of(closed.in_avals)
            )
            self._rewritten[key] = (jaxpr, rewritten)
        return self._rewritten[key][1]

    def rewrite_primal(self, jaxpr: Any) -> core.ClosedJaxpr:
        """The jaxpr with composites, of a function that has rules: none inside it is ever asked for."""
        outer, self._has_derivatives = self._has_derivatives, False
        try:
            return self.rewrite(jaxpr)
        finally:
            self._has_derivatives = outer

    def inline(self, jaxpr: Any, inputs: Sequence[Any]) -> list[Any]:
        """What a call computes, written where it is called, with all values there in reach of its rules."""
        return self._evaluate(close(jaxpr), inputs, around=self._scopes[-1])

    @contextmanager
    def _scope(self, values: dict[Any, Any]) -> Iterator[None]:
        self._scopes.append(values)
        try:
            yield
        finally:
            self._scopes.pop()

    def _evaluate(
        self,
        jaxpr: core.ClosedJaxpr,
        inputs: Sequence[Any],
        captured: Sequence[Any] = (),
        around: Mapping[Any, Any] = MappingProxyType({}),
    ) -> list[Any]:
        inner = jaxpr.jaxpr
        values: dict[Any, Any] = {**around, **dict(zip(inner.constvars, jaxpr.consts, strict=True))}
        values.update(zip(inner.invars, inputs, strict=True))
        values.update(zip(captured, inputs, strict=False))

        def read(atom: Any) -> Any:
            return atom.val if isinstance(atom, core.Literal) else values[atom]

        for equation in inner.eqns:
            handler = self._handlers.get(equation.primitive.name, _leave)
            with self._scope(values):
                outputs = handler(self, equation, [read(atom) for atom in equation.invars])
            values.update(zip(equation.outvars, outputs, strict=True))
        return [read(atom) for atom in inner.outvars]


def _is_large(equation: core.JaxprEqn) -> bool:
    return sum(1 for _ in all_equations(primal_of(equation))) > _LARGE


def _no_rules(_: core.JaxprEqn, __: int) -> Rules:
    return Rules(())


def _count_rules(equation: core.JaxprEqn) -> int:
    return 2 if equation.primitive.name == VJP_CALL else 1


def _leave(rewriting: Rewriting, equation: core.JaxprEqn, inputs: Sequence[Any]) -> list[Any]:
    """Emits an equation as it is, with the jaxprs among its parameters rewritten."""
    changes = {
        name: _rewrite_parameter(rewriting, value)
        for name, value in equation.params.items()
        if is_jaxpr(value) or (isinstance(value, tuple) and value and all(map(is_jaxpr, value)))
    }
    return bind(equation, inputs, **changes)


def _rewrite_parameter(rewriting: Rewriting, value: Any) -> Any:
    return tuple(map(rewriting.rewrite, value)) if isinstance(value, tuple) else rewriting.rewrite(value)
