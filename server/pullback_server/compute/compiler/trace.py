"""Plans become jaxprs: once for each program and wants, whatever the batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import jax

from pullback.program.tensors import TensorType
from pullback_server.compute.abstract import abstract, tensor_type_of
from pullback_server.compute.compiler.executable import set_apart
from pullback_server.compute.compiler.weights import trace_bytes
from pullback_server.compute.failures import failing_as
from pullback_server.compute.planner.alternatives import alternatives
from pullback_server.compute.planner.plan import Options, Plan, check, plan
from pullback_server.compute.programs import LoadedProgram
from pullback_server.errors import Reason, ServiceError
from pullback_server.model.quantities import Want


@dataclass(frozen=True, slots=True)
class Traced:
    """A plan that was traced at one point.

    Attributes:
        plan: The plan.
        function: Takes the constants and the plan's inputs, and gives the leaves of all results, one after
            the other.
        constants: Large arrays that the function uses.
        results: For each want the types of its leaves.
        executable_bytes: The memory that an executable of it takes; an estimate.
    """

    plan: Plan
    function: Callable[..., list[jax.Array]]
    constants: tuple[jax.Array, ...]
    results: tuple[tuple[TensorType, ...], ...]
    executable_bytes: int

    @property
    def leaves(self) -> tuple[TensorType, ...]:
        """The types of the leaves of all results, one after the other."""
        return tuple(leaf for result in self.results for leaf in result)

    @property
    def nbytes(self) -> int:
        """The bytes of all results at one point."""
        return sum(leaf.nbytes for leaf in self.leaves)


def trace(program: LoadedProgram, wants: tuple[Want, ...], options: Options | None = None) -> Traced:
    """Plans and traces wants of a program.

    What does not exist in the way that is best is tried in others: a loop without a known end has no reverse
    mode, a custom reverse rule no forward mode.

    Raises:
        ServiceError: MALFORMED_REQUEST, INVALID_ARGNUMS or DERIVATIVE_UNDEFINED.
    """
    options = options or Options()
    check(program, wants)
    first: ServiceError | None = None
    for others, share in alternatives(wants):
        try:
            return _trace(plan(program, others, replace(options, share=share)))
        except ServiceError as error:
            first = first or error
            if error.reason is not Reason.DERIVATIVE_UNDEFINED:
                break
    raise first or AssertionError


def _trace(planned: Plan) -> Traced:
    quantities = ", ".join(dict.fromkeys(want.quantity.value for want in planned.wants))
    # The function itself was traced when it was loaded, so what fails now is its derivative.
    with failing_as(Reason.DERIVATIVE_UNDEFINED, f"this function has no such derivative ({quantities})"):
        jaxpr, shapes = jax.make_jaxpr(planned, return_shape=True)(*map(abstract, planned.inputs))
    results = tuple(tuple(map(tensor_type_of, leaves)) for leaves in shapes)
    constants, function = set_apart(jaxpr)
    own_bytes = trace_bytes(jaxpr) - sum(constant.nbytes for constant in constants)
    return Traced(planned, function, constants, results, own_bytes)
