"""Calls out of StableHLO: those that mean nothing to one device, and no others so far."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pullback_server.compute.formats.stablehlo.building import Build, Emit, Scope
from pullback_server.compute.formats.stablehlo.failures import unsupported
from pullback_server.compute.formats.stablehlo.syntax import Operation

# They say where values lie, which a server decides by itself.
_PLACEMENTS: Final = frozenset({"Sharding", "SPMDFullToShardShape", "annotate_device_placement"})


def _custom_call(operation: Operation, _: Scope) -> Emit:
    target = operation.attributes["call_target_name"]
    if target in _PLACEMENTS:
        return lambda operands: [operands[0]]
    raise unsupported(
        f"stablehlo.custom_call @{target}",
        "calls code of one platform, which is not served",
        "export the function with pullback.export, which keeps such operations by name",
    )


BUILDERS: Final[Mapping[str, Build]] = {"stablehlo.custom_call": _custom_call}
