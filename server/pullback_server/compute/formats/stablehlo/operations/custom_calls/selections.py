"""The greatest and the least elements."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import jax
import jax.numpy as jnp
from jax import lax

from pullback_server.compute.formats.stablehlo.building import Arrays, Emit
from pullback_server.compute.formats.stablehlo.failures import unsupported
from pullback_server.compute.formats.stablehlo.operations.custom_calls.call import BuildCall, Call
from pullback_server.compute.formats.stablehlo.operations.orderings import Key, recognise


def _approximate(call: Call) -> Emit:
    (comparator,) = call.operation.attributes["called_computations"]
    descending = _direction(call, comparator)
    axis = int(call.setting("reduction_dim"))
    find: Callable[..., tuple[jax.Array, jax.Array]] = lax.approx_max_k if descending else lax.approx_min_k

    def emit(operands: Arrays) -> Arrays:
        values, indices = find(
            operands[0],
            int(call.setting("top_k")),
            reduction_dimension=axis,
            recall_target=float(call.setting("recall_target")),
            reduction_input_size_override=int(call.setting("reduction_input_size_override")),
            aggregate_to_topk=bool(call.setting("aggregate_to_topk")),
        )
        return [values, jnp.take_along_axis(operands[1], indices, axis)]

    return emit


def _direction(call: Call, comparator: str) -> bool:
    body = call.scope.function(comparator).body
    keys = None if body is None else recognise(body.block, {})
    if keys is None or len(keys) != 1 or keys[0] not in (Key(0), Key(0, descending=True)):
        raise unsupported(
            call.name, "compares by something else than less or greater", "select by such a comparison"
        )
    return keys[0].descending


def _top_k(call: Call) -> Emit:
    count, largest = int(call.setting("k")), bool(call.configuration.get("largest", True))

    def emit(operands: Arrays) -> Arrays:
        if largest:
            return list(lax.top_k(operands[0], count))
        negate = lax.neg if jnp.issubdtype(operands[0].dtype, jnp.floating) else lax.bitwise_not
        values, indices = lax.top_k(negate(operands[0]), count)
        return [negate(values), indices]

    return emit


BUILDERS: Final[Mapping[str, BuildCall]] = {"ApproxTopK": _approximate, "mhlo.topk": _top_k}
