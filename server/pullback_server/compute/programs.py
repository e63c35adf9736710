"""Programs that are ready to be differentiated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from time import perf_counter

import jax
from jax.extend.core import jaxpr_as_fun

from pullback.program.container import Program, StableHlo
from pullback.program.digest import digest as digest_of
from pullback.program.errors import ProgramError
from pullback.program.signature import Signature
from pullback.program.tensors import TensorType
from pullback.program.wire import program_from_bytes
from pullback_server.compute.abstract import abstract, tensor_type_of
from pullback_server.compute.constants import Constants
from pullback_server.compute.failures import failing_as
from pullback_server.compute.formats.lifted import Lifted, Traceable
from pullback_server.compute.formats.reader import says_signature
from pullback_server.errors import Reason, service_error
from pullback_server.model.functions import Findings

Read = Callable[[Program], Lifted]
Function = Callable[..., Sequence[jax.Array]]


class ProgramMissingError(LookupError):
    """The program was never loaded here, or was dropped for want of memory; load it and try again.

    Args:
        digest: The program's digest.
    """

    def __init__(self, digest: str) -> None:
        super().__init__(f"program {digest} is not loaded")
        self.digest = digest


@dataclass(frozen=True, slots=True)
class LoadedProgram:
    """A program that was read and traced.

    Attributes:
        function: Takes the leaves of all arguments and gives those of the result; traceable by JAX. For
            passes in which nothing is reversed.
        reversible: Gives the same function for passes with reverse mode directly around it; traces it when
            it is first asked for, unless it is `function` itself.
        signature: What goes in and what comes out.
        results: The types of the result's leaves.
        nbytes: The size of the serialized program and of its constants.
        says_signature: Whether the signature was read from the program's body.
        seconds: How long it took to read and trace it.
    """

    function: Function
    reversible: Callable[[], Function]
    signature: Signature
    results: tuple[TensorType, ...]
    nbytes: int
    says_signature: bool = False
    seconds: float = 0.0

    @property
    def findings(self) -> Findings:
        """What was found in the program."""
        return Findings(self.results, self.signature if self.says_signature else None)


def parse_program(digest: str, data: bytes) -> Program:
    """The program of serialized bytes.

    Args:
        digest: The digest that it should have.
        data: The serialized program.

    Raises:
        ServiceError: MALFORMED_PROGRAM or DIGEST_MISMATCH.
    """
    program = _parse(data)
    actual = digest_of(program)
    if actual != digest:
        raise service_error(
            Reason.DIGEST_MISMATCH,
            f"the program has digest {actual}, but {digest} was announced; send it again",
            expected=digest,
            actual=actual,
        )
    return program


def load_program(
    program: Program, nbytes: int, read: Read, constants: Constants | None = None
) -> LoadedProgram:
    """Reads and traces a program whose signature has no symbols.

    It is traced once, into a jaxpr: derivatives are taken of that, and the format is not walked again. Where
    its format has another function for reverse mode, that is traced once, too, when it is first needed.

    Args:
        program: The program, with the signature that its body says.
        nbytes: The size of the serialized program.
        read: Reads a program into a function of flat leaves, followed by the program's constants.
        constants: Where constants come from.

    Raises:
        ConstantsMissingError: If constants of the program have to be brought first.
        ServiceError: MALFORMED_PROGRAM, or what `read` says.
    """
    used = program.body.constants if isinstance(program.body, StableHlo) else ()
    constants = constants or Constants()
    arrays = constants.give(used)
    try:
        return _trace(program, read, arrays, nbytes)
    finally:
        constants.release(used)


def _parse(data: bytes) -> Program:
    try:
        return program_from_bytes(data)
    except ProgramError as error:
        raise service_error(Reason.MALFORMED_PROGRAM, str(error)) from error


def _trace(program: Program, read: Read, constants: tuple[jax.Array, ...], nbytes: int) -> LoadedProgram:
    started = perf_counter()
    with failing_as(Reason.MALFORMED_PROGRAM, "the program cannot be traced"):
        lifted = read(program)
        function, results = _traced(lifted.forward, program.signature, constants)
    _require_results(program.signature, results)

    @cache
    def reversible() -> Function:
        if lifted.reverse is lifted.forward:
            return function
        return _traced(lifted.reverse, program.signature, constants)[0]

    nbytes += sum(constant.nbytes for constant in constants)
    return LoadedProgram(
        function,
        reversible,
        program.signature,
        results,
        nbytes,
        says_signature(program),
        perf_counter() - started,
    )


def _traced(
    function: Traceable, signature: Signature, constants: tuple[jax.Array, ...]
) -> tuple[Function, tuple[TensorType, ...]]:
    inputs = [*map(abstract, signature.leaves), *constants]
    jaxpr, shapes = jax.make_jaxpr(lambda *given: list(function(given)), return_shape=True)(*inputs)
    evaluate = jaxpr_as_fun(jaxpr)
    return lambda *leaves: evaluate(*leaves, *constants), tuple(map(tensor_type_of, shapes))


def _require_results(signature: Signature, results: tuple[TensorType, ...]) -> None:
    if signature.result is None or signature.result.leaves == results:
        return
    expected, actual = (", ".join(map(str, types)) for types in (signature.result.leaves, results))
    raise service_error(
        Reason.MALFORMED_PROGRAM,
        f"the program gives ({actual}), but its signature says ({expected}); export it again",
        expected=expected,
        actual=actual,
    )
