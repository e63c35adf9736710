"""Functions whose intermediate values are computed again in reverse mode."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import jax

from pullback_server.compute.formats.stablehlo.building import Emit, Scope
from pullback_server.compute.formats.stablehlo.composites.parameters import (
    Values,
    name_of,
    require_signature,
)
from pullback_server.compute.formats.stablehlo.failures import malformed
from pullback_server.compute.formats.stablehlo.syntax import Operation

_POLICIES: Final[Mapping[str | None, Callable[..., Any] | None]] = {
    None: None,
    "everything_saveable": jax.checkpoint_policies.everything_saveable,
    "nothing_saveable": jax.checkpoint_policies.nothing_saveable,
    "dots_saveable": jax.checkpoint_policies.dots_saveable,
    "dots_with_no_batch_dims_saveable": jax.checkpoint_policies.dots_with_no_batch_dims_saveable,
}


def build(operation: Operation, scope: Scope, values: Values) -> Emit:
    """`jax.checkpoint` of the decomposition."""
    body = scope.function(operation.attributes["decomposition"])
    require_signature(operation, body, operation.operand_types, operation.result_types)
    if values["policy"] not in _POLICIES:
        raise malformed(name_of(operation), f"has the unknown policy {values['policy']!r}")
    policy = _with_names(_POLICIES[values["policy"]], values["names"] or ())
    function = jax.checkpoint(body.__call__, prevent_cse=values["prevent_cse"], policy=policy)
    return lambda operands: function(*operands)


def _with_names(policy: Callable[..., Any] | None, names: Sequence[str]) -> Callable[..., Any] | None:
    """A policy that saves what has one of the names as well."""
    if not names:
        return policy
    named: Callable[..., Any] = jax.checkpoint_policies.save_only_these_names(*names)
    if policy is None:
        return named
    both: Callable[..., Any] = jax.checkpoint_policies.save_from_both_policies(policy, named)
    return both
