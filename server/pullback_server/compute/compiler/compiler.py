"""From wants to executables, each made once and kept while it is used."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import jax

from pullback.program.tensors import TensorType
from pullback_server.compute.abstract import abstract
from pullback_server.compute.cache import Cache, Found
from pullback_server.compute.compiler.courtesy import Courtesy
from pullback_server.compute.compiler.executable import Executable
from pullback_server.compute.compiler.layout import Batched
from pullback_server.compute.compiler.memory import needed_bytes, too_much_memory
from pullback_server.compute.compiler.prepared import Prepared
from pullback_server.compute.compiler.trace import Traced, trace
from pullback_server.compute.compiler.weights import code_bytes
from pullback_server.compute.failures import failing_as
from pullback_server.compute.planner.plan import Options
from pullback_server.compute.planner.sparse.coloring import Coloring
from pullback_server.compute.programs import LoadedProgram
from pullback_server.errors import Reason
from pullback_server.model.quantities import Want

_TRACES: Final = 1024


class Compiler:
    """Traces and compiles, each thing once.

    Args:
        executable_bytes: How much memory executables may take; those that were not used for longest go first.
        sweep_bytes: How many bytes directions that are taken at a time may need.
        courtesy: Who may trace and compile when.
        device_bytes: The most memory of the device that a run may need; None for no limit.
    """

    def __init__(
        self,
        executable_bytes: int,
        sweep_bytes: int,
        courtesy: Courtesy,
        device_bytes: int | None = None,
    ) -> None:
        self._device_bytes = device_bytes
        self._refused: Cache[tuple[str, int | None], int] = Cache(_TRACES)
        self._sweep_bytes = sweep_bytes
        self._courtesy = courtesy
        self._patterns: Cache[tuple[object, ...], Coloring] = Cache(_TRACES)
        self._traces: Cache[tuple[str, tuple[Want, ...]], Traced] = Cache(_TRACES)
        self._executables: Cache[tuple[str, int | None], Executable] = Cache(
            executable_bytes, lambda executable: executable.nbytes
        )

    def trace(self, address: str, program: LoadedProgram, wants: tuple[Want, ...]) -> Traced:
        """The traced plan for `wants` of a program.

        Raises:
            ServiceError: MALFORMED_REQUEST, INVALID_ARGNUMS or DERIVATIVE_UNDEFINED.
        """

        def remember(key: tuple[object, ...], make: Callable[[], Coloring]) -> Coloring:
            return self._patterns.get((address, *key), make).value

        def make() -> Traced:
            with self._courtesy.tracing():
                return trace(program, wants, Options(self._sweep_bytes, remember=remember))

        return self._traces.get((address, wants), make).value

    def find(self, prepared: Prepared, bucket: int | None) -> Executable | None:
        """The executable for a number of points, None for a single point, if it is there."""
        return self._executables.find((prepared.address, bucket))

    def executable(self, prepared: Prepared, bucket: int | None) -> Found[Executable]:
        """The executable for a number of points; None for a single point.

        Raises:
            ServiceError: COMPILATION_FAILED, DERIVATIVE_UNDEFINED, or DEVICE_MEMORY_EXCEEDED if a run of it
                would need too much: that is found once, and not compiled again.
        """
        key = prepared.address, bucket
        self._require_fits(self._refused.find(key))

        def make() -> Executable:
            made = compile_ahead(prepared.traced, prepared.batched, bucket, self._courtesy)
            if self._device_bytes is not None and (made.needed or 0) > self._device_bytes:
                self._refused.get(key, lambda: made.needed or 0)
            self._require_fits(made.needed)
            return made

        return self._executables.get(key, make)

    def _require_fits(self, needed: int | None) -> None:
        if needed is not None and self._device_bytes is not None and needed > self._device_bytes:
            raise too_much_memory(needed, self._device_bytes)


def compile_ahead(
    traced: Traced, batched: Batched, bucket: int | None, courtesy: Courtesy | None = None
) -> Executable:
    """Compiles a traced plan; see `Compiler.executable`."""
    courtesy = courtesy or Courtesy()
    function, inputs = staged(traced, batched, bucket)
    with failing_as(Reason.COMPILATION_FAILED, "the compiler refused the program"):
        # That a rule for reverse mode alone has no forward mode, JAX may say as late as here.
        with (
            failing_as(Reason.DERIVATIVE_UNDEFINED, "this function has no such derivative", (TypeError,)),
            courtesy.tracing(),
        ):
            lowered = jax.jit(function).lower(*traced.constants, *map(abstract, inputs))
        compiled = courtesy.compile(lowered)
    nbytes = traced.executable_bytes + code_bytes(compiled)
    return Executable(compiled, traced.constants, nbytes, needed_bytes(compiled))


def staged(
    traced: Traced, batched: Batched, points: int | None
) -> tuple[Callable[..., list[jax.Array]], tuple[TensorType, ...]]:
    """The function of a traced plan for a layout and a number of points, and the types of its inputs.

    The function takes the plan's constants before the inputs.
    """
    inputs = traced.plan.inputs
    if batched is None or points is None:
        return traced.function, inputs
    axes = (*[None] * len(traced.constants), *(0 if leads else None for leads in batched))
    pairs = zip(inputs, batched, strict=True)
    leading = tuple(leaf.batched(points) if leads else leaf for leaf, leads in pairs)
    return jax.vmap(traced.function, in_axes=axes, axis_size=points), leading
