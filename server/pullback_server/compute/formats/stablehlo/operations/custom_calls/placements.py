"""Where values lie: nothing that one device would have to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pullback_server.compute.formats.stablehlo.building import Build, Emit, Scope
from pullback_server.compute.formats.stablehlo.failures import unsupported
from pullback_server.compute.formats.stablehlo.operations.custom_calls.call import BuildCall, Call
from pullback_server.compute.formats.stablehlo.syntax import Operation


def _placement(operation: Operation, name: str) -> Emit:
    if operation.operand_types[: len(operation.results)] != operation.result_types:
        raise unsupported(
            name, "cuts an array into pieces for several devices", "export the function for one device"
        )
    return lambda operands: list(operands[: len(operation.results)])


def _call(call: Call) -> Emit:
    return _placement(call.operation, call.name)


def _operation(operation: Operation, _: Scope) -> Emit:
    return _placement(operation, operation.name)


BUILDERS: Final[Mapping[str, BuildCall]] = dict.fromkeys(
    (
        "Sharding",
        "SPMDFullToShardShape",
        "SPMDShardToFullShape",
        "annotate_device_placement",
        "xla.sdy.FuncResultSharding",
        "xla.sdy.GlobalToLocalShape",
        "xla.sdy.LocalToGlobalShape",
        "xla.sdy.PropagationBarrier",
        "xla.sdy.ShardingGroup",
    ),
    _call,
)


def _manual_computation(operation: Operation, _: Scope) -> Emit:
    raise unsupported(
        operation.name, "says what each of several devices does", "export the function without a mesh"
    )


OPERATIONS: Final[Mapping[str, Build]] = {
    **dict.fromkeys(
        ("sdy.sharding_constraint", "sdy.reshard", "sdy.propagation_barrier", "sdy.sharding_group"),
        _operation,
    ),
    "sdy.manual_computation": _manual_computation,
}
"""The same in the dialect of Shardy."""
