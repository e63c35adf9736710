"""Arrays that a counted loop reads or writes element by element.

StableHLO has no scan: exporters write one as a `while` that slices its inputs at the counter and updates
its outputs there. Reversed as it stands, it would handle whole arrays on every trip. Knows neither MLIR
nor JAX.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pullback_server.compute.formats.stablehlo.integers import (
    Callee,
    Follower,
    Known,
    Linear,
    is_moving,
)
from pullback_server.compute.formats.stablehlo.loops.counting import TRIP, Counted
from pullback_server.compute.formats.stablehlo.loops.inlining import Fresh, inlined, renamed
from pullback_server.compute.formats.stablehlo.syntax import Block, Operation


@dataclass(frozen=True, slots=True)
class Path:
    """Where a loop goes through an array: on trip t to the index `start + step * t` of an axis.

    Attributes:
        axis: The axis.
        start: The first index.
        step: From one index to the next.
    """

    axis: int
    start: int
    step: int

    def covers(self, size: int, trips: int) -> bool:
        """Whether it goes through the whole of an axis in order, from either end."""
        return trips == size and (self.start, self.step) in ((0, 1), (size - 1, -1))


@dataclass(frozen=True, slots=True)
class Read:
    """An array of which a trip takes one element.

    Attributes:
        source: The number of the array.
        path: Where it goes.
        element: The number of the element, which keeps the axis, with size 1.
    """

    source: int
    path: Path
    element: int


@dataclass(frozen=True, slots=True)
class Written:
    """An array of the loop's state that a trip writes one element of, and that is read nowhere else.

    Attributes:
        position: Its position in the state.
        path: Where it goes.
        element: The number of the element, which keeps the axis, with size 1.
    """

    position: int
    path: Path
    element: int


@dataclass(frozen=True, slots=True)
class Sliced:
    """A counted loop, with what it goes through.

    Attributes:
        operations: What a trip does, without the slices and the updates.
        reads: What it reads.
        writes: What it writes.
        carried: The positions of the state that a trip hands to the next.
        returns: The numbers of what a trip gives for these.
    """

    operations: tuple[Operation, ...]
    reads: tuple[Read, ...]
    writes: tuple[Written, ...]
    carried: tuple[int, ...]
    returns: tuple[int, ...]


def slice_loop(
    body: Block, counted: Counted, constants: Mapping[int, int], callee: Callee, fresh: Fresh
) -> Sliced:
    """Finds what a counted loop goes through.

    Args:
        body: The body of the loop.
        counted: Its counters and its invariants.
        constants: The integers outside of it that are constants, by their numbers.
        callee: Gives the functions of the module.
        fresh: Gives numbers that no value has.
    """
    operations, returns, known = _flat(body, counted, constants, callee, fresh)
    position = {number: i for i, number in enumerate(body.arguments)}
    changing = {number for number, i in position.items() if i not in counted.invariants}
    inner = changing.union(*(operation.results for operation in operations))
    slices = [
        read for read in _reads(operations, known, counted.trips) if read.source not in inner - changing
    ]
    writes = tuple(_writes(body, operations, returns, known, counted.trips, slices))
    written = {body.arguments[write.position]: write.path for write in writes}
    reads = tuple(
        read for read in slices if read.source not in changing or written.get(read.source) == read.path
    )
    gone = {read.element for read in reads} | {returns[write.position] for write in writes}
    kept = tuple(operation for operation in operations if not gone.intersection(operation.results))
    states = [
        i for i in range(len(returns)) if i not in counted.invariants and body.arguments[i] not in written
    ]
    carried = _needed(body, kept, returns, states, counted, writes)
    return Sliced(
        tuple(_alive(kept, [*(returns[i] for i in carried), *(write.element for write in writes)])),
        reads,
        writes,
        carried,
        tuple(returns[i] for i in carried),
    )


def _flat(
    body: Block, counted: Counted, constants: Mapping[int, int], callee: Callee, fresh: Fresh
) -> tuple[list[Operation], list[int], Known]:
    """The operations with those calls written out that a counter goes into, and what is known of them."""
    known: Known = {number: Linear(value) for number, value in constants.items()}
    known.update({body.arguments[i]: counter for i, counter in counted.counters.items()})
    follower = Follower(callee, counted.trips)
    numbers: dict[int, int] = {}
    flat: list[Operation] = []
    waiting = list(body.operations[::-1])
    while waiting:
        operation = renamed(waiting.pop(), numbers)
        callee_block = _followed(operation, known, callee)
        if callee_block is not None and follower.remaining > 0:
            follower.remaining -= 1 + len(callee_block.operations)
            inner, results = inlined(operation, callee_block, fresh)
            numbers.update(results)
            waiting += inner[::-1]
        else:
            follower.follow([operation], known)
            flat.append(operation)
    return flat, [numbers.get(number, number) for number in body.returns], known


def _followed(operation: Operation, known: Known, callee: Callee) -> Block | None:
    """The function that an operation calls with a counter."""
    if operation.name != "func.call" or not any(is_moving(known.get(n)) for n in operation.operands):
        return None
    return callee(operation.attributes["callee"])


def _reads(operations: Sequence[Operation], known: Known, trips: int) -> Iterator[Read]:
    for operation in operations:
        if operation.name == "stablehlo.dynamic_slice":
            source, *indices = operation.operands
            path = _path(
                operation.operand_types[0].shape, operation.result_types[0].shape, indices, known, trips
            )
            if path is not None:
                yield Read(source, path, operation.results[0])


def _writes(
    body: Block,
    operations: Sequence[Operation],
    returns: Sequence[int],
    known: Known,
    trips: int,
    reads: Sequence[Read],
) -> Iterator[Written]:
    makers = {operation.results[0]: operation for operation in operations if len(operation.results) == 1}
    uses = Counter(_used(operations, returns))
    for i, argument in enumerate(body.arguments):
        update = makers.get(returns[i])
        if (
            update is None
            or update.name != "stablehlo.dynamic_update_slice"
            or update.operands[0] != argument
        ):
            continue
        _, element, *indices = update.operands
        path = _path(update.operand_types[0].shape, update.operand_types[1].shape, indices, known, trips)
        if path is None or abs(path.step) != 1 or uses[returns[i]] != 1:
            continue
        read = [one for one in reads if one.source == argument and one.path == path]
        if uses[argument] == 1 + len(read):
            yield Written(i, path, element)


def _used(operations: Iterable[Operation], returns: Iterable[int]) -> Iterator[int]:
    for operation in operations:
        yield from operation.operands
        yield from operation.captures
    yield from returns


def _path(
    shape: tuple[int, ...], part: tuple[int, ...], indices: Sequence[int], known: Known, trips: int
) -> Path | None:
    """The path of slices of shape `part`, where they are whole in all axes but one, and never clamped."""
    found: list[Path] = []
    for axis, number in enumerate(indices):
        index = known.get(number)
        if isinstance(index, Linear) and index.base == TRIP and part[axis] == 1:
            found.append(Path(axis, index.offset, index.factor))
        elif part[axis] != shape[axis]:
            return None
    # What is whole is at the index 0, whatever the program says.
    if len(found) != 1:
        return None
    (path,) = found
    ends = Linear(path.start, path.step, TRIP).ends(trips) or ()
    return path if all(0 <= end < shape[path.axis] for end in ends) else None


def _needed(
    body: Block,
    operations: Sequence[Operation],
    returns: Sequence[int],
    states: Sequence[int],
    counted: Counted,
    writes: Sequence[Written],
) -> tuple[int, ...]:
    """The states that must be carried: all but the counters that nothing needs any more."""
    carried = [i for i in states if i not in counted.counters]
    while True:
        roots = [*(returns[i] for i in carried), *(write.element for write in writes)]
        alive = set(_used(_alive(operations, roots), roots))
        more = [i for i in states if i not in carried and body.arguments[i] in alive]
        if not more:
            return tuple(sorted(carried))
        carried += more


def _alive(operations: Sequence[Operation], roots: Iterable[int]) -> list[Operation]:
    """The operations that `roots` depend on."""
    needed = set(roots)
    alive = []
    for operation in reversed(operations):
        if needed.intersection(operation.results):
            needed.update(operation.operands, operation.captures)
            alive.append(operation)
    return alive[::-1]


def trip_block(body: Block, sliced: Sliced) -> Block:
    """One trip as a block: from carried states and elements read to carried states and elements written.

    Its types are left out: they are those of what it is given.
    """
    arguments = (*(body.arguments[i] for i in sliced.carried), *(read.element for read in sliced.reads))
    returns = (*sliced.returns, *(write.element for write in sliced.writes))
    defined = set(arguments).union(*(operation.results for operation in sliced.operations))
    return replace(
        body,
        arguments=arguments,
        argument_types=(),
        operations=sliced.operations,
        returns=returns,
        return_types=(),
        captures=tuple(
            dict.fromkeys(number for number in _used(sliced.operations, returns) if number not in defined)
        ),
    )
