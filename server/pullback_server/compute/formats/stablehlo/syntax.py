"""A StableHLO module as plain data. Knows neither MLIR nor JAX."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pullback.program.tensors import TensorType

Types = tuple[TensorType, ...]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation.

    Attributes:
        name: With its dialect, such as `stablehlo.add`.
        operands: The numbers of the values that go in.
        operand_types: Their types.
        results: The numbers of the values that come out.
        result_types: Their types.
        attributes: Integers, text, flags, tuples, dicts and numpy arrays by name.
        blocks: The bodies of its regions.
    """

    name: str
    operands: tuple[int, ...]
    operand_types: Types
    results: tuple[int, ...]
    result_types: Types
    attributes: Mapping[str, Any]
    blocks: tuple[Block, ...]

    @property
    def captures(self) -> tuple[int, ...]:
        """The values from outside that its blocks use, each once."""
        return tuple(dict.fromkeys(number for block in self.blocks for number in block.captures))


@dataclass(frozen=True, slots=True)
class Block:
    """A sequence of operations with arguments.

    Attributes:
        arguments: The numbers of its arguments.
        argument_types: Their types.
        operations: In order.
        returns: The numbers of the values that it gives.
        return_types: Their types.
        captures: The numbers of values that it uses and that are defined outside of it.
    """

    arguments: tuple[int, ...]
    argument_types: Types
    operations: tuple[Operation, ...]
    returns: tuple[int, ...]
    return_types: Types
    captures: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Splat:
    """A constant of equal elements.

    Attributes:
        element: A numpy scalar.
    """

    element: Any
