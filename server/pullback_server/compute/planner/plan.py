"""Wants become one traceable function that gives them all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Final

import jax

from pullback.program.signature import Signature
from pullback.program.tensors import TensorType
from pullback_server.compute.planner.basis import Leaves
from pullback_server.compute.planner.kinds.derivative import DERIVATIVE
from pullback_server.compute.planner.kinds.gradient import GRADIENT
from pullback_server.compute.planner.kinds.hessian import HESSIAN
from pullback_server.compute.planner.kinds.hvp import HVP
from pullback_server.compute.planner.kinds.jacobian import JACOBIAN
from pullback_server.compute.planner.kinds.jvp import JVP
from pullback_server.compute.planner.kinds.kind import Kind, Subject
from pullback_server.compute.planner.kinds.value import VALUE
from pullback_server.compute.planner.kinds.vjp import VJP
from pullback_server.compute.planner.needs import Needs
from pullback_server.compute.planner.passes import Derivatives, Primal, differentiate
from pullback_server.compute.planner.requests import check_wants, directions_of
from pullback_server.compute.programs import LoadedProgram
from pullback_server.model.quantities import Quantity, Want

KINDS: Final[dict[Quantity, Kind]] = {
    Quantity.VALUE: VALUE,
    Quantity.GRADIENT: GRADIENT,
    Quantity.JACOBIAN: JACOBIAN,
    Quantity.HESSIAN: HESSIAN,
    Quantity.JVP: JVP,
    Quantity.VJP: VJP,
    Quantity.HVP: HVP,
    Quantity.DERIVATIVE: DERIVATIVE,
}


@dataclass(frozen=True, slots=True)
class Pass:
    """What is asked of one pass over the function.

    Attributes:
        leaves: The numbers of the argument leaves with respect to which it is differentiated.
        needs: What the pass has to give.
    """

    leaves: tuple[int, ...]
    needs: Needs


@dataclass(frozen=True, slots=True)
class Plan:
    """A traceable function of argument leaves, tangents and cotangents that gives every want's leaves.

    Wants with the same argnums share one pass, and so one primal; the value comes from the first pass.
    Between passes with different argnums, XLA merges what is equal.

    Attributes:
        program: The function.
        wants: What it gives, in this order.
        tangents: The types of the tangents it takes.
        cotangents: The types of the cotangents it takes.
    """

    program: LoadedProgram
    wants: tuple[Want, ...]
    tangents: tuple[TensorType, ...]
    cotangents: tuple[TensorType, ...]

    @property
    def inputs(self) -> tuple[TensorType, ...]:
        """The types of everything it takes: argument leaves, tangents, cotangents."""
        return (*self.program.signature.leaves, *self.tangents, *self.cotangents)

    def __call__(self, *inputs: jax.Array) -> tuple[Leaves, ...]:
        """Gives for each want its leaves.

        Args:
            inputs: Arrays of the types `inputs`.
        """
        arguments = inputs[: len(self.program.signature.leaves)]
        rest = inputs[len(arguments) :]
        tangents, cotangents = rest[: len(self.tangents)], rest[len(self.tangents) :]
        found = {
            argnums: self._run(self._pass(argnums), arguments, tangents, cotangents)
            for argnums in dict.fromkeys(map(self._argnums, self.wants))
        }
        return tuple(self._take(want, found[self._argnums(want)]) for want in self.wants)

    def _argnums(self, want: Want) -> tuple[int, ...]:
        """The argnums of the pass that a want is taken from."""
        return want.argnums or next((other.argnums for other in self.wants if other.argnums), ())

    def _subject(self, want: Want) -> Subject:
        return subject_of(want, self.program)

    def _take(self, want: Want, found: Derivatives) -> Leaves:
        return KINDS[want.quantity].take(want, self._subject(want), found)

    def _pass(self, argnums: tuple[int, ...]) -> Pass:
        asked = (want for want in self.wants if self._argnums(want) == argnums)
        needs = [KINDS[want.quantity].needs(want, self._subject(want)) for want in asked]
        types = self.program.signature.leaves
        numbers = _leaf_numbers(self.program.signature, argnums)
        return Pass(tuple(i for i in numbers if types[i].element.differentiable), reduce(or_, needs))

    def _run(
        self, asked: Pass, arguments: Sequence[jax.Array], tangents: Leaves, cotangents: Leaves
    ) -> Derivatives:
        primal = _primal(self.program, arguments, asked)
        inputs = tuple(arguments[i] for i in asked.leaves)
        return differentiate(primal, inputs, asked.needs, tangents, cotangents)


def plan(program: LoadedProgram, wants: tuple[Want, ...]) -> Plan:
    """Plans how to give `wants` of a program.

    Raises:
        ServiceError: MALFORMED_REQUEST, INVALID_ARGNUMS or DERIVATIVE_UNDEFINED.
    """
    check_wants(wants, program.signature)
    for want in wants:
        KINDS[want.quantity].check(want, subject_of(want, program))
    tangents, cotangents = directions_of(wants, program.signature, program.results)
    return Plan(program, wants, tangents, cotangents)


def subject_of(want: Want, program: LoadedProgram) -> Subject:
    """What a want differentiates of a program."""
    leaves = program.signature.leaves
    numbers = _leaf_numbers(program.signature, want.argnums)
    return Subject(tuple(leaves[i] for i in numbers), program.results)


def _leaf_numbers(signature: Signature, argnums: Iterable[int]) -> list[int]:
    return [number for argnum in argnums for number in signature.leaf_range(argnum)]


def _primal(program: LoadedProgram, arguments: Sequence[jax.Array], asked: Pass) -> Primal:
    """The function of the moving leaves alone; gives the outputs with a derivative, and the whole result."""
    function = program.reversible() if asked.needs.reverse else program.function

    def primal(*inputs: jax.Array) -> tuple[Leaves, Leaves]:
        leaves = list(arguments)
        for number, value in zip(asked.leaves, inputs, strict=True):
            leaves[number] = value
        result = tuple(function(*leaves))
        pairs = zip(result, program.results, strict=True)
        return tuple(leaf for leaf, kind in pairs if kind.element.differentiable), result

    return primal
