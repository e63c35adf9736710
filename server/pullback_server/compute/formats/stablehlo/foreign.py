"""Modules of any producer: their signature, and the function that they are."""

from __future__ import annotations

from pullback.program.container import StableHlo, StableHloModule
from pullback.program.errors import MalformedProgramError
from pullback.program.signature import Argument, Result, Signature
from pullback.program.tensors import TensorType
from pullback.program.trees import LEAF, TupleNode
from pullback_server.compute.formats.lifted import Lifted
from pullback_server.compute.formats.stablehlo.lift import lift
from pullback_server.compute.formats.stablehlo.reading.module import Module
from pullback_server.compute.formats.stablehlo.reading.open_sizes import name_sizes, open_module_at
from pullback_server.compute.formats.stablehlo.reading.specialization import main_types
from pullback_server.errors import Reason, service_error


def module_signature(body: StableHloModule) -> Signature:
    """The signature of a module: an array for each argument of its main function, and its results.

    Open sizes become symbols.

    Raises:
        ServiceError: MALFORMED_PROGRAM if the module cannot be read, if its open sizes cannot be understood,
            or if names are no names; UNSUPPORTED_OPERATION if a type is not served.
    """
    types, _ = main_types(body.module)
    names = argument_names(body.names, len(types))
    if all(None not in kind.shape for kind in types):
        block = Module(body.module).function("main")
        return flat_signature(names, block.argument_types, block.return_types)
    return flat_signature(names, *name_sizes(body.module, names))


def lift_module(body: StableHloModule, signature: Signature, max_trips: int | None = None) -> Lifted:
    """The function that a module is, at the sizes of a signature without symbols.

    Raises:
        ServiceError: As `lift` of a StableHLO program.
    """
    types, _ = main_types(body.module)
    is_open = any(None in kind.shape for kind in types)
    module = open_module_at(body.module, signature.leaves) if is_open else body.module
    return lift(StableHlo(module), signature, max_trips)


def flat_signature(
    names: tuple[str, ...], arguments: tuple[TensorType, ...], results: tuple[TensorType, ...]
) -> Signature:
    """The signature of arrays that gives one array, or a tuple of another number of them.

    Raises:
        ServiceError: MALFORMED_PROGRAM if a name is none, or stands twice.
    """
    tree = LEAF if len(results) == 1 else TupleNode((LEAF,) * len(results))
    pairs = zip(names, arguments, strict=True)
    try:
        return Signature(tuple(Argument(name, LEAF, (kind,)) for name, kind in pairs), Result(tree, results))
    except MalformedProgramError as error:
        raise service_error(Reason.MALFORMED_PROGRAM, str(error)) from error


def argument_names(given: tuple[str, ...], count: int) -> tuple[str, ...]:
    """The names of arguments: those that were given, or `arg0`, `arg1` and so on.

    Raises:
        ServiceError: MALFORMED_PROGRAM if too many or too few were given.
    """
    if given and len(given) != count:
        raise service_error(
            Reason.MALFORMED_PROGRAM,
            f"{len(given)} argument names were given ({', '.join(given)}) for a function of {count} "
            "arguments; give each argument one",
        )
    return given or tuple(f"arg{number}" for number in range(count))
