"""Functions whose intermediate values are computed again in reverse mode."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
    function = jax.checkpoint(
        body.__call__, prevent_cse=values["prevent_cse"], policy=_POLICIES[values["policy"]]
    )
    return lambda operands: function(*operands)
