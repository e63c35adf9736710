"""Policies of `jax.checkpoint` as data.

A policy is a function of this process, and programs carry no code. It is known by its answers for the
operations that it would be asked about: the standard policies answer as a name says, and so do most others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import jax
from jax.extend import core

from pullback.export._equations import all_equations

_NAME: Final = "name"

STANDARD: Final[Mapping[str, Callable[..., Any]]] = MappingProxyType(
    {
        name: getattr(jax.checkpoint_policies, name)
        for name in (
            "nothing_saveable",
            "everything_saveable",
            "dots_saveable",
            "dots_with_no_batch_dims_saveable",
        )
    }
)


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy as data.

    Attributes:
        name: The name of a standard policy; None is JAX's default, which saves nothing.
        names: What `jax.ad_checkpoint.checkpoint_name` named and is saved as well; None where no name is.
    """

    name: str | None = None
    names: tuple[str, ...] | None = None


def describe(policy: Callable[..., Any] | None, body: core.ClosedJaxpr) -> Policy:
    """The policy as data; JAX's default where no data says what it answers.

    A policy chooses what is stored, not what is computed. What it would offload is taken as saved.

    Args:
        policy: The policy.
        body: The function whose intermediate values it chooses from.
    """
    if policy is None:
        return Policy()
    for name, standard in STANDARD.items():
        if policy is standard:
            return Policy(name)
    equations = list(all_equations(body))
    named = [equation for equation in equations if equation.primitive.name == _NAME]
    others = [equation for equation in equations if equation.primitive.name != _NAME]
    saved = {equation.params[_NAME] for equation in named if _saves(policy, equation)}
    for name, standard in STANDARD.items():
        if all(_saves(policy, equation) == _saves(standard, equation) for equation in others):
            return Policy(name, tuple(sorted(saved)) or None)
    return Policy()


def _saves(policy: Callable[..., Any], equation: core.JaxprEqn) -> bool:
    answer = policy(equation.primitive, *(atom.aval for atom in equation.invars), **equation.params)
    # JAX answers with flags, or with a type for each of saving, offloading and computing again.
    return answer if isinstance(answer, bool) else type(answer).__name__ != "RecomputeType"
