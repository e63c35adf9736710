"""From plain data to functions that JAX can trace.

Each function is built once, from one builder per operation; what a builder cannot accept is refused
there and then, before anything is traced. Derivative rules may refer to themselves, so they are built
after what uses them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import count
from typing import Any, Final, NamedTuple

import jax

from pullback_server.compute.formats.bounds import BOUNDS, too_deep, too_many_operations
from pullback_server.compute.formats.stablehlo.coverage import REFUSED
from pullback_server.compute.formats.stablehlo.failures import malformed, unsupported
from pullback_server.compute.formats.stablehlo.integers import Follower, Known, Linear
from pullback_server.compute.formats.stablehlo.reading.module import Module
from pullback_server.compute.formats.stablehlo.rewriting.blocks import rewritten, scalars_of
from pullback_server.compute.formats.stablehlo.syntax import Block, Operation, Types
from pullback_server.errors import ServiceError

Arrays = Sequence[jax.Array]
Emit = Callable[[Arrays], Arrays]
"""From the operands of an operation, followed by what its regions capture, to its results."""
Build = Callable[[Operation, "Scope"], Emit]
"""Checks an operation and gives what emits it."""

ENTRY = -1
_MAIN = "main"
# Functions have fewer values than this, so that numbers from here on are free.
_FIRST_FRESH: Final = 1 << 40


class Side(StrEnum):
    """What JAX does around a function, where its operations depend on that (`formats.lifted`)."""

    FORWARD = "forward"
    """Forward mode only, or nothing: for passes in which nothing is reversed, and for derivative rules."""
    REVERSE = "reverse"
    """Reverse mode directly around it, and forward mode only around that."""
    REPEATED = "repeated"
    """Forward mode only, for what computes again what REVERSE does: through the rules of reverse mode."""


class _Key(NamedTuple):
    """A function by its module and name, and the side that it is built for."""

    module: int
    name: str
    side: Side = Side.FORWARD


@dataclass(slots=True)
class Routine:
    """A function of the program, or a function that waits for its body.

    Attributes:
        name: How messages call it.
        argument_types: The types of its arguments.
        result_types: The types of its results.
        body: What it does, once built.
        size: The number of its operations, those that it calls included, once built.
    """

    name: str
    argument_types: Types
    result_types: Types
    body: Body | None = None
    size: int = 0

    def __call__(self, *arguments: jax.Array) -> list[jax.Array]:
        """Evaluates the function."""
        if self.body is None:
            raise malformed(self.name, "calls itself, which only derivative rules may do")
        return self.body((), arguments)


@dataclass(frozen=True, slots=True)
class Body:
    """A block that can be evaluated.

    Attributes:
        block: The block.
        steps: What emits each of its operations.
        where: The function that it stands in, for messages.
    """

    block: Block
    steps: tuple[Emit, ...]
    where: str

    def __call__(self, captured: Arrays, arguments: Arrays) -> list[jax.Array]:
        """Evaluates the block.

        Args:
            captured: The values of `block.captures`.
            arguments: The values of its arguments.
        """
        values = dict(zip(self.block.captures, captured, strict=True))
        values.update(zip(self.block.arguments, arguments, strict=True))
        for operation, emit in zip(self.block.operations, self.steps, strict=True):
            inputs = [values[number] for number in (*operation.operands, *operation.captures)]
            try:
                outputs = emit(inputs)
            except Exception as error:
                error.add_note(f"in {operation.name} of {self.where}")
                raise
            _require_types(operation, outputs)
            values.update(zip(operation.results, outputs, strict=True))
        return [values[number] for number in self.block.returns]


def _require_types(operation: Operation, outputs: Arrays) -> None:
    for expected, output in zip(operation.result_types, outputs, strict=True):
        if output.shape != expected.shape or output.dtype != expected.element.dtype:
            raise unsupported(
                operation.name, f"gives {output.dtype}{list(output.shape)} here, not {expected} as it says"
            )


@dataclass(slots=True)
class Program:
    """The functions of a program while they are being built.

    Attributes:
        modules: The modules by index; the entry has the index ENTRY.
        table: What builds each operation.
        max_trips: How many trips any loop makes whose number of trips depends on data, if that is known.
        two_sided: Whether an operation was built that is another one in reverse mode.
    """

    modules: Mapping[int, Module]
    table: Mapping[str, Build]
    max_trips: int | None = None
    two_sided: bool = False
    _routines: dict[_Key, Routine] = field(default_factory=dict)
    _blocks: dict[tuple[int, str], Block] = field(default_factory=dict)
    _waiting: list[_Key] = field(default_factory=list)
    _under_way: list[_Key] = field(default_factory=list)
    _depth: int = 0
    _fresh: Iterator[int] = field(default_factory=lambda: count(_FIRST_FRESH))

    @contextmanager
    def deeper(self) -> Iterator[None]:
        """Counts how deep blocks are nested, through regions, calls and loop bodies alike."""
        self._depth += 1
        if self._depth > BOUNDS.nesting:
            raise too_deep("calls, loops and regions are nested too deep", "flatten the function")
        yield
        self._depth -= 1

    def build(self) -> tuple[Routine, list[Routine]]:
        """The entry function and the derivative rules, built.

        Raises:
            ServiceError: MALFORMED_PROGRAM, UNSUPPORTED_OPERATION, TOO_MANY_OPERATIONS or NESTING_TOO_DEEP.
        """
        entry = self.routine(_Key(ENTRY, _MAIN))
        rules = []
        while self._waiting:
            rules.append(self.routine(self._waiting.pop()))
        return entry, rules

    def build_reverse(self) -> Routine:
        """The entry function for reverse mode, once `build` is done: another one if `two_sided`."""
        return self.routine(_Key(ENTRY, _MAIN, Side.REVERSE if self.two_sided else Side.FORWARD))

    def routine(self, key: _Key) -> Routine:
        """A function, built with all that it calls."""
        routine = self._declare(key)
        if key in self._under_way:
            raise malformed(routine.name, "calls itself, which only derivative rules may do")
        if routine.body is None:
            self._under_way.append(key)
            scope = Scope(self, key.module, routine.name, key.side)
            routine.body = scope.body(self.block(key.module, key.name))
            routine.size = scope.size
            self._under_way.pop()
        return routine

    def block(self, module: int, name: str) -> Block:
        """The body of a function as data."""
        if (module, name) not in self._blocks:
            self._blocks[module, name] = self.modules[module].function(name)
        return self._blocks[module, name]

    def fresh(self) -> int:
        """A number that no value has."""
        return next(self._fresh)

    def main(self, index: int, side: Side) -> Routine:
        """The main function of another module, built: the body of a loop."""
        return self.routine(_Key(self._require_module(index), _MAIN, side))

    def rule(self, index: int) -> Routine:
        """The main function of another module, to be built later: a derivative rule.

        It is built for forward mode: what reverse mode needs of a function with rules are the rules.
        """
        key = _Key(self._require_module(index), _MAIN)
        if key not in self._routines:
            self._waiting.append(key)
        return self._declare(key)

    def _require_module(self, index: int) -> int:
        if index == ENTRY or index not in self.modules:
            raise malformed(
                f"module {index}", f"is referred to, and there are {len(self.modules) - 1} modules"
            )
        return index

    def _declare(self, key: _Key) -> Routine:
        if key not in self._routines:
            block = self.block(key.module, key.name)
            place = f"@{key.name}" if key.module == ENTRY else f"@{key.name} of module {key.module}"
            self._routines[key] = Routine(place, block.argument_types, block.return_types)
        return self._routines[key]


class Scope:
    """What an operation's builder can ask for: regions, functions and other modules.

    Args:
        program: The program.
        module: The module that the operation stands in.
        where: The function that it stands in, for messages.
        side: What JAX does around it.
    """

    def __init__(self, program: Program, module: int, where: str, side: Side) -> None:
        self._program = program
        self._module = module
        self._where = where
        self._known: Known = {}
        self._scalars: dict[int, Any] = {}
        self.side = side
        self.size = 0

    @property
    def max_trips(self) -> int | None:
        """How many trips any loop makes whose number of trips depends on data, if that is known."""
        return self._program.max_trips

    def constants(self, operation: Operation) -> dict[int, int]:
        """The integers that are constants among what goes into an operation, by their numbers."""
        found = {number: self._known.get(number) for number in (*operation.operands, *operation.captures)}
        return {
            number: value.offset
            for number, value in found.items()
            if isinstance(value, Linear) and value.constant is not None
        }

    def body(self, block: Block) -> Body:
        """A block, built: the body of a function, or of a region."""
        self._scalars.update(scalars_of(block))
        block = rewritten(block, self._scalars, self.block)
        with self._program.deeper():
            steps = tuple(map(self._step, block.operations))
        return Body(block, steps, self._where)

    def function(self, name: str) -> Routine:
        """A function of the same module."""
        return self._counted(self._program.routine(_Key(self._module, name, self.side)))

    def block(self, name: str) -> Block:
        """The body of a function of the same module, as data."""
        return self._program.block(self._module, name)

    def fresh(self) -> int:
        """A number that no value has."""
        return self._program.fresh()

    def two_sided(self) -> Scope:
        """Says that an operation is another one in reverse mode; gives a scope to build what has none."""
        self._program.two_sided = True
        if self.side is not Side.REVERSE:
            return self
        scope = Scope(self._program, self._module, self._where, Side.REPEATED)
        scope._known = self._known
        return scope

    def main(self, index: int) -> Routine:
        """The main function of another module."""
        return self._counted(self._program.main(index, self.side))

    def rule(self, index: int) -> Routine:
        """The main function of another module, for a derivative rule, which may refer to itself."""
        return self._program.rule(index)

    def _step(self, operation: Operation) -> Emit:
        build = self._program.table.get(operation.name)
        if build is None:
            raise self._refusal(operation.name)
        self._count(1)
        try:
            Follower(self.block).follow([operation], self._known)
            return build(operation, self)
        except (AssertionError, AttributeError, LookupError, TypeError, ValueError) as error:
            # Attributes that MLIR lets pass and that mean nothing.
            raise malformed(operation.name, f"in {self._where} cannot be read: {error!r}") from error

    def _refusal(self, name: str) -> ServiceError:
        if name not in REFUSED:
            return unsupported(name, f"in {self._where} is not served")
        return unsupported(name, f"in {self._where} {REFUSED[name].reason}", REFUSED[name].advice)

    def _counted(self, routine: Routine) -> Routine:
        self._count(routine.size)
        return routine

    def _count(self, operations: int) -> None:
        self.size += operations
        if self.size > BOUNDS.operations:
            raise too_many_operations(
                f"{self._where} has {self.size} operations or more, calls included",
                self.size,
                "use loops in place of repeated code",
            )
