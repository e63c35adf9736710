"""Writes out calls of functions. Knows neither MLIR nor JAX."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from pullback_server.compute.formats.stablehlo.syntax import Block, Operation

Fresh = Callable[[], int]
"""Gives a number that no value has."""
Numbers = dict[int, int]


def inlined(call: Operation, callee: Block, fresh: Fresh) -> tuple[list[Operation], Numbers]:
    """The operations of a function that is called, as they stand at the place of the call.

    Args:
        call: The call.
        callee: The body of the function.
        fresh: Gives numbers for the values of the function.

    Returns:
        The operations, and for each result of the call the number of the value that it is.
    """
    numbers = dict(zip(callee.arguments, call.operands, strict=True))
    operations = list(_renamed(callee.operations, numbers, fresh))
    returned = (numbers[number] for number in callee.returns)
    return operations, dict(zip(call.results, returned, strict=True))


def renamed(operation: Operation, numbers: Numbers) -> Operation:
    """An operation of other values: those that `numbers` names."""
    if not any(number in numbers for number in (*operation.operands, *operation.captures)):
        return operation
    return replace(
        operation,
        operands=tuple(numbers.get(number, number) for number in operation.operands),
        blocks=tuple(_outer_renamed(block, numbers) for block in operation.blocks),
    )


def _outer_renamed(block: Block, numbers: Numbers) -> Block:
    """A block with other values from outside; what it defines itself keeps its numbers."""
    return replace(
        block,
        operations=tuple(renamed(operation, numbers) for operation in block.operations),
        returns=tuple(numbers.get(number, number) for number in block.returns),
        captures=tuple(dict.fromkeys(numbers.get(number, number) for number in block.captures)),
    )


def _renamed(operations: tuple[Operation, ...], numbers: Numbers, fresh: Fresh) -> Iterator[Operation]:
    """Operations with fresh numbers for all that they define; adds those to `numbers`."""
    for operation in operations:
        operands = tuple(numbers[number] for number in operation.operands)
        blocks = tuple(_block(block, numbers, fresh) for block in operation.blocks)
        numbers.update({number: fresh() for number in operation.results})
        results = tuple(numbers[number] for number in operation.results)
        yield replace(operation, operands=operands, results=results, blocks=blocks)


def _block(block: Block, numbers: Numbers, fresh: Fresh) -> Block:
    numbers.update({number: fresh() for number in block.arguments})
    operations = tuple(_renamed(block.operations, numbers, fresh))
    return replace(
        block,
        arguments=tuple(numbers[number] for number in block.arguments),
        operations=operations,
        returns=tuple(numbers[number] for number in block.returns),
        captures=tuple(dict.fromkeys(numbers[number] for number in block.captures)),
    )
