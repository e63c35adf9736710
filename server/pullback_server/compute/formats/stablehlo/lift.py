"""From a StableHLO body to a JAX-traceable function."""

from __future__ import annotations

from collections.abc import Callable

import jax

from pullback.program.container import StableHlo
from pullback.program.signature import Signature
from pullback_server.compute.formats.lifted import Lifted, Traceable
from pullback_server.compute.formats.stablehlo.building import ENTRY, Program, Routine
from pullback_server.compute.formats.stablehlo.failures import malformed
from pullback_server.compute.formats.stablehlo.reading.module import Module
from pullback_server.compute.formats.stablehlo.syntax import Types
from pullback_server.compute.formats.stablehlo.table import TABLE
from pullback_server.errors import ServiceError


def lift(body: StableHlo, signature: Signature, max_trips: int | None = None) -> Lifted:
    """Lifts StableHLO into JAX.

    Args:
        body: The modules.
        signature: What the function should take and give.
        max_trips: How many trips any loop makes whose number of trips depends on data, if that is known.

    Returns:
        Functions from the leaves of the arguments, followed by the constants, to the leaves of the result,
        which JAX can differentiate, batch and compile. 64-bit types need `jax_enable_x64`.

    Raises:
        ServiceError: MALFORMED_PROGRAM if the program cannot be read or contradicts itself or the
            signature; UNSUPPORTED_OPERATION if it uses what is not served; TOO_MANY_OPERATIONS,
            NESTING_TOO_DEEP or DEVICE_MEMORY_EXCEEDED if it is larger than the server follows. All modules
            that are referred to are checked.
    """
    modules = {ENTRY: Module(body.entry), **{i: Module(data) for i, data in enumerate(body.modules)}}
    program = Program(modules, TABLE, max_trips)
    entry, rules = program.build()
    _require_signature(entry, signature, tuple(constant.type for constant in body.constants))
    for routine in (entry, *rules):
        _require_traceable(routine)
    forward = _of_leaves(entry)
    return (
        Lifted(forward, _of_leaves(program.build_reverse())) if program.two_sided else Lifted.alike(forward)
    )


def _of_leaves(routine: Routine) -> Traceable:
    return lambda leaves: routine(*leaves)


def _require_signature(entry: Routine, signature: Signature, constants: Types) -> None:
    _require_equal("arguments", entry.argument_types, (*signature.leaves, *constants))
    if signature.result is not None:
        _require_equal("results", entry.result_types, signature.result.leaves)


def _require_equal(what: str, actual: Types, stated: Types) -> None:
    if actual != stated:
        raise malformed(
            "@main",
            f"has {what} of types ({', '.join(map(str, actual))}), "
            f"and the signature says ({', '.join(map(str, stated))})",
        )


def _require_traceable(routine: Routine) -> None:
    make: Callable[..., jax.ShapeDtypeStruct] = jax.ShapeDtypeStruct
    try:
        jax.eval_shape(routine, *[make(type_.shape, type_.element.dtype) for type_ in routine.argument_types])
    except ServiceError:
        raise
    except Exception as error:
        place = next(iter(getattr(error, "__notes__", ())), f"in {routine.name}")
        raise malformed("the program", f"cannot be evaluated {place}: {error}") from error
