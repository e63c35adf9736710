"""Wants become one traceable function that gives them all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import jax

from pullback.program.signature import Signature
from pullback.program.tensors import TensorType
from pullback_server.compute.failures import failing_as
from pullback_server.compute.planner.basis import Leaves
from pullback_server.compute.planner.chunks import Chunking
from pullback_server.compute.planner.derivative import Derivative
from pullback_server.compute.planner.footprint import Footprint, footprint_of
from pullback_server.compute.planner.kinds.derivative import DERIVATIVE
from pullback_server.compute.planner.kinds.diagonal import DIAGONAL
from pullback_server.compute.planner.kinds.ggn import GGN
from pullback_server.compute.planner.kinds.gradient import GRADIENT
from pullback_server.compute.planner.kinds.hessian import HESSIAN
from pullback_server.compute.planner.kinds.hvp import HVP
from pullback_server.compute.planner.kinds.jacobian import JACOBIAN
from pullback_server.compute.planner.kinds.jvp import JVP
from pullback_server.compute.planner.kinds.kind import Kind, Subject
from pullback_server.compute.planner.kinds.value import VALUE
from pullback_server.compute.planner.kinds.vjp import VJP
from pullback_server.compute.planner.passes.differentiation import differentiate
from pullback_server.compute.planner.passes.step import Primal, Setting
from pullback_server.compute.planner.requests import check_wants, directions_of
from pullback_server.compute.planner.sharing import Pass, by_rows, passes_for
from pullback_server.compute.planner.sparse.coloring import Block, Coloring
from pullback_server.compute.planner.sparse.detection import color_hessian, color_jacobian
from pullback_server.compute.programs import Function, LoadedProgram
from pullback_server.errors import Reason
from pullback_server.model.quantities import Mode, Quantity, Want

KINDS: Final[dict[Quantity, Kind]] = {
    Quantity.VALUE: VALUE,
    Quantity.GRADIENT: GRADIENT,
    Quantity.JACOBIAN: JACOBIAN,
    Quantity.HESSIAN: HESSIAN,
    Quantity.JVP: JVP,
    Quantity.VJP: VJP,
    Quantity.HVP: HVP,
    Quantity.DERIVATIVE: DERIVATIVE,
    Quantity.GGN_VP: GGN,
    Quantity.HESSIAN_DIAG: DIAGONAL,
    Quantity.LAPLACIAN: DIAGONAL,
}

Remember = Callable[[tuple[object, ...], Callable[[], Coloring]], Coloring]
"""Gives what was made for a key before, or makes it."""


@dataclass(frozen=True, slots=True)
class Options:
    """How plans are made.

    Attributes:
        sweep_bytes: How many bytes the directions that are taken at a time may need.
        share: Whether wants with different argnums may share a pass.
        remember: Where patterns are kept; the key is the argument leaves, the order and the mode.
    """

    sweep_bytes: int = 256 * 2**20
    share: bool = True
    remember: Remember = lambda _key, make: make()


@dataclass(frozen=True, slots=True)
class Plan:
    """A traceable function of argument leaves, tangents and cotangents that gives every want's leaves.

    Attributes:
        program: The function.
        wants: What it gives, in this order.
        tangents: The types of the tangents it takes.
        cotangents: The types of the cotangents it takes.
        derivatives: For each want the derivative that it is; None for the value.
        passes: The passes that find them, each given what those before it found.
        chunking: Says how many directions are taken at a time.
    """

    program: LoadedProgram
    wants: tuple[Want, ...]
    tangents: tuple[TensorType, ...]
    cotangents: tuple[TensorType, ...]
    derivatives: tuple[Derivative | None, ...]
    passes: tuple[Pass, ...]
    chunking: Chunking

    @property
    def inputs(self) -> tuple[TensorType, ...]:
        """The types of everything it takes: argument leaves, tangents, cotangents."""
        return (*self.program.signature.leaves, *self.tangents, *self.cotangents)

    @property
    def blocks(self) -> tuple[tuple[Block, ...], ...]:
        """For each want the coordinates of its leaves' entries; none where its leaves are dense."""
        colorings = (each.coloring if each is not None else None for each in self.derivatives)
        return tuple(() if coloring is None else coloring.blocks for coloring in colorings)

    @property
    def working_bytes(self) -> int:
        """The bytes that directions taken at a time may need at one point, beside results; an estimate."""
        needed = (each for done in self.passes for each in done.derivatives if each.sweeps)
        return max(map(self.chunking.working, needed), default=0)

    def __call__(self, *inputs: jax.Array) -> tuple[Leaves, ...]:
        """Gives for each want its leaves.

        Args:
            inputs: Arrays of the types `inputs`.
        """
        arguments = inputs[: len(self.program.signature.leaves)]
        rest = inputs[len(arguments) :]
        tangents, cotangents = rest[: len(self.tangents)], rest[len(self.tangents) :]
        values: list[Leaves] = []
        found: dict[Derivative, Leaves] = {}
        for each in self.passes:
            value, new = self._run(each, arguments, (tangents, cotangents), found)
            values.append(value)
            found |= new
        return tuple(values[0] if each is None else found[each] for each in self.derivatives)

    def _run(
        self,
        asked: Pass,
        arguments: Sequence[jax.Array],
        directions: tuple[Leaves, Leaves],
        given: Mapping[Derivative, Leaves],
    ) -> tuple[Leaves, dict[Derivative, Leaves]]:
        numbers = {derivative: number for number, derivative in enumerate(asked.derivatives)}
        setting = Setting(asked.leaves, numbers, *directions, self.chunking, given)
        primal = _primal(self.program, arguments, asked)
        inputs = tuple(arguments[i] for i in asked.leaves)
        return differentiate(primal, inputs, asked.derivatives, setting)


def plan(program: LoadedProgram, wants: tuple[Want, ...], options: Options | None = None) -> Plan:
    """Plans how to give `wants` of a program.

    Args:
        program: The function.
        wants: What is wanted.
        options: How it is done; None is as usual.

    Raises:
        ServiceError: MALFORMED_REQUEST, INVALID_ARGNUMS or DERIVATIVE_UNDEFINED.
    """
    options = options or Options()
    check(program, wants)
    pairs = ((want, subject_of(want, program, options)) for want in wants)
    derivatives = by_rows([KINDS[want.quantity].derivative(want, subject) for want, subject in pairs])
    wanted = [each for each in derivatives if each is not None]
    chunking = _chunking(program, wanted, options)
    passes = passes_for(wanted, chunking, share=options.share)
    tangents, cotangents = directions_of(wants, program.signature, program.results)
    return Plan(program, wants, tangents, cotangents, derivatives, passes, chunking)


def check(program: LoadedProgram, wants: tuple[Want, ...]) -> None:
    """Refuses wants that no function with this signature has.

    Raises:
        ServiceError: MALFORMED_REQUEST, INVALID_ARGNUMS or DERIVATIVE_UNDEFINED.
    """
    check_wants(wants, program.signature)
    for want in wants:
        KINDS[want.quantity].check(want, subject_of(want, program, Options()))


def subject_of(want: Want, program: LoadedProgram, options: Options) -> Subject:
    """What a want differentiates of a program."""
    leaves = program.signature.leaves
    numbers = _leaf_numbers(program.signature, want.argnums)

    def color(order: int, mode: Mode) -> Coloring:
        return options.remember((numbers, order, mode), lambda: _color(program, numbers, order, mode))

    return Subject(tuple(leaves[i] for i in numbers), program.results, numbers, color)


def _leaf_numbers(signature: Signature, argnums: Iterable[int]) -> tuple[int, ...]:
    return tuple(number for argnum in argnums for number in signature.leaf_range(argnum))


def _chunking(program: LoadedProgram, derivatives: Sequence[Derivative], options: Options) -> Chunking:
    leaves = program.signature.leaves
    outputs = [leaf for leaf in program.results if leaf.element.differentiable]
    footprint = Footprint(0, 0)
    if any(each.sweeps or each.directions is not None for each in derivatives):
        footprint = footprint_of(program.function, leaves)
    return Chunking(
        footprint,
        tuple(leaf.size for leaf in leaves),
        sum(leaf.size for leaf in outputs),
        max((leaf.element.itemsize for leaf in (*leaves, *outputs)), default=0),
        options.sweep_bytes,
    )


def _color(program: LoadedProgram, numbers: tuple[int, ...], order: int, mode: Mode) -> Coloring:
    leaves = program.signature.leaves
    moving = tuple(leaves[i] for i in numbers)
    fixed = tuple(i for i in range(len(leaves)) if i not in numbers)
    others = tuple(leaves[i] for i in fixed)
    with failing_as(Reason.DERIVATIVE_UNDEFINED, "this function has no such sparse derivative"):
        if order > 1:
            return color_hessian(_split(program.reversible(), numbers, fixed), moving, others)
        function = program.reversible() if mode is Mode.REVERSE else program.function
        return color_jacobian(_split(function, numbers, fixed), moving, others, mode)


def _split(
    function: Function, moving: tuple[int, ...], fixed: tuple[int, ...]
) -> Callable[[Leaves, Leaves], Leaves]:
    """A function of the moving leaves and of the others."""

    def split(inputs: Leaves, others: Leaves) -> Leaves:
        given = dict(zip((*moving, *fixed), (*inputs, *others), strict=True))
        return tuple(function(*(given[number] for number in range(len(given)))))

    return split


def _primal(program: LoadedProgram, arguments: Sequence[jax.Array], asked: Pass) -> Primal:
    """The function of the moving leaves alone; gives the outputs with a derivative, and the whole result."""
    function = program.reversible() if asked.reverses else program.function

    def primal(*inputs: jax.Array) -> tuple[Leaves, Leaves]:
        leaves = list(arguments)
        for number, value in zip(asked.leaves, inputs, strict=True):
            leaves[number] = value
        result = tuple(function(*leaves))
        pairs = zip(result, program.results, strict=True)
        return tuple(leaf for leaf, kind in pairs if kind.element.differentiable), result

    return primal
