"""From wants to executables, each made once and kept while it is used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import jax

from pullback.program.tensors import TensorType
from pullback_server.compute.abstract import abstract
from pullback_server.compute.cache import Cache, Found
from pullback_server.compute.compiler.executable import Executable
from pullback_server.compute.compiler.layout import Batched
from pullback_server.compute.compiler.trace import Traced, trace
from pullback_server.compute.failures import failing_as
from pullback_server.compute.planner.plan import Options
from pullback_server.compute.planner.sparse.coloring import Coloring
from pullback_server.compute.programs import LoadedProgram
from pullback_server.errors import Reason
from pullback_server.model.quantities import Want


@dataclass(frozen=True, slots=True)
class _Key:
    """What an executable depends on.

    Attributes:
        digest: The program.
        wants: What it gives.
        batched: Which of its inputs are batched; None for a single point.
        bucket: The number of points it takes; None for a single point.
    """

    digest: str
    wants: tuple[Want, ...]
    batched: Batched
    bucket: int | None


class Compiler:
    """Traces and compiles, each thing once.

    Args:
        executables: How many executables are kept, and how many traced plans and patterns.
        sweep_bytes: How many bytes directions that are taken at a time may need.
    """

    def __init__(self, executables: int, sweep_bytes: int) -> None:
        self._sweep_bytes = sweep_bytes
        self._patterns: Cache[tuple[object, ...], Coloring] = Cache(executables)
        self._traces: Cache[tuple[str, tuple[Want, ...]], Traced] = Cache(executables)
        self._executables: Cache[_Key, Executable] = Cache(executables)

    def trace(self, digest: str, program: LoadedProgram, wants: tuple[Want, ...]) -> Found[Traced]:
        """The traced plan for `wants` of a program.

        Raises:
            ServiceError: MALFORMED_REQUEST, INVALID_ARGNUMS or DERIVATIVE_UNDEFINED.
        """

        def remember(key: tuple[object, ...], make: Callable[[], Coloring]) -> Coloring:
            return self._patterns.get((digest, *key), make).value

        options = Options(self._sweep_bytes, remember=remember)
        return self._traces.get((digest, wants), lambda: trace(program, wants, options))

    def executable(
        self, digest: str, wants: tuple[Want, ...], traced: Traced, batched: Batched, bucket: int | None
    ) -> Found[Executable]:
        """The executable of a traced plan for a layout and a number of points.

        Raises:
            ServiceError: COMPILATION_FAILED.
        """
        key = _Key(digest, wants, batched, bucket)
        return self._executables.get(key, lambda: compile_ahead(traced, batched, bucket))


def compile_ahead(traced: Traced, batched: Batched, bucket: int | None) -> Executable:
    """Compiles a traced plan; see `Compiler.executable`."""
    function, inputs = staged(traced, batched, bucket)
    with failing_as(Reason.COMPILATION_FAILED, "the compiler refused the program"):
        # That a rule for reverse mode alone has no forward mode, JAX may say as late as here.
        with failing_as(Reason.DERIVATIVE_UNDEFINED, "this function has no such derivative", (TypeError,)):
            lowered = jax.jit(function).lower(*traced.constants, *map(abstract, inputs))
        compiled = lowered.compile()
    return Executable(compiled, traced.constants)


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
