"""The door of the compute floor: loads programs, compiles and evaluates. Knows no sockets."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from time import perf_counter
from typing import Final

import jax
import numpy as np

from pullback.graphs.data import Graph
from pullback.program.derivatives import DerivativeSupport
from pullback.program.signature import Signature
from pullback_server.compute.cache import Cache, Found
from pullback_server.compute.compiler.compiler import Compiler
from pullback_server.compute.compiler.courtesy import Courtesy
from pullback_server.compute.compiler.executable import Executable
from pullback_server.compute.compiler.layout import layout_ahead, layout_of, require_points
from pullback_server.compute.compiler.memory import device_memory
from pullback_server.compute.compiler.prepared import Prepared, prepared
from pullback_server.compute.compiler.run import Places, run_batch, run_point
from pullback_server.compute.compiler.tiles import Tiling, bucket_of, device_tiling, host_tiling
from pullback_server.compute.compiler.trace import Traced
from pullback_server.compute.constants import Constants
from pullback_server.compute.failures import failing_as
from pullback_server.compute.formats.reader import read as read_any_format
from pullback_server.compute.formats.reader import says_signature, with_signature
from pullback_server.compute.graph.sketch import graph_of
from pullback_server.compute.programs import (
    LoadedProgram,
    ProgramMissingError,
    Read,
    load_program,
    parse_program,
)
from pullback_server.compute.survey import survey
from pullback_server.compute.symbolic import Sizes, SymbolicProgram, symbolic_program
from pullback_server.errors import Reason, exceeded
from pullback_server.model.devices import Device, WorkerDescription
from pullback_server.model.evaluation import Buffer, Compilation, Kind, Timing
from pullback_server.model.functions import Findings
from pullback_server.model.graphs import GraphQuery
from pullback_server.model.quantities import Want

_PLATFORMS: Final = {"gpu": "cuda"}
_KINDS: Final = 1024


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of a run.

    Attributes:
        buffers: The bytes of each leaf of the results, one after the other; those that had a place lie there.
        timing: Where the time went.
    """

    buffers: list[Buffer]
    timing: Timing


class Kernel:
    """Computes with programs on this process's device. Threads may call it at the same time.

    Compiling one function holds up no other: threads wait for each other only where they want the
    same executable.

    Args:
        program_cache_bytes: How many bytes of serialized programs are kept; the longest unused go first.
        executable_bytes: How much memory executables may take; the longest unused go first.
        output_bytes: The most bytes that the results of one evaluation may take.
        sweep_bytes: How many bytes the directions of a Jacobian or Hessian that are taken at a time may
            need.
        device_bytes: The most memory of the device that a run may need; where left out, what JAX may use of a
            GPU, and no limit on a CPU.
        tiling: How large batches are cut; as suits the device where left out.
        read: Reads a program into a function that JAX can trace.

    Attributes:
        confined: What this process cannot do any more, as it is to say of itself.
    """

    def __init__(
        self,
        program_cache_bytes: int = 256 * 2**20,
        executable_bytes: int = 2**30,
        output_bytes: int = 2**31,
        sweep_bytes: int = 256 * 2**20,
        device_bytes: int | None = None,
        tiling: Tiling | None = None,
        read: Read = read_any_format,
    ) -> None:
        configure_jax()
        self._programs: Cache[str, LoadedProgram | SymbolicProgram] = Cache(
            program_cache_bytes, lambda program: program.nbytes
        )
        self._at_sizes: Cache[str, LoadedProgram] = Cache(_KINDS)
        self._kinds: Cache[Kind, Prepared] = Cache(_KINDS)
        self._constants = Constants()
        self._courtesy = Courtesy()
        self._compiler = Compiler(
            executable_bytes, sweep_bytes, self._courtesy, device_bytes or device_memory()
        )
        self._output_bytes = output_bytes
        self._tiling = tiling or _tiling_of(jax.local_devices()[0])
        self._read = read
        self.confined: tuple[str, ...] = ()

    def describe(self) -> WorkerDescription:
        """The device and the versions of what computes."""
        device = jax.local_devices()[0]
        versions = {
            "jax": jax.__version__,
            "jaxlib": version("jaxlib"),
            "numpy": np.__version__,
            "python": platform.python_version(),
        }
        kind = Device(_PLATFORMS.get(device.platform, device.platform), device.device_kind, device.id)
        return WorkerDescription(kind, versions, self.confined)

    def load(self, digest: str, program: bytes) -> Findings:
        """Reads and keeps a program; loading it again changes nothing.

        Args:
            digest: The digest that the program should have.
            program: The serialized program.

        Returns:
            What was found in it.

        Raises:
            ConstantsMissingError: If constants of the program have to be brought first.
            ServiceError: MALFORMED_PROGRAM, FORMULA_ERROR, UNSUPPORTED_OPERATION or DIGEST_MISMATCH.
        """
        return self._programs.get(digest, lambda: self._load(digest, program)).value.findings

    def survey(self, digest: str) -> tuple[DerivativeSupport, ...]:
        """Which derivatives a program has; of one with symbols, at the sizes that it was tried at.

        Without what would take too long to try, and empty for a program that was dropped meanwhile.
        """
        program = self._programs.find(digest)
        if program is None:
            return ()
        with self._courtesy.tracing():
            return survey(program if isinstance(program, LoadedProgram) else program.at(program.sample))

    def bring(self, digest: str, data: Buffer) -> None:
        """Takes the bytes of a constant, for a program that is loaded next."""
        self._constants.bring(digest, data)

    def compile(self, request: Compilation) -> bool:
        """Compiles what an evaluation like `request` will need.

        Returns:
            Whether everything was there already.

        Raises:
            ProgramMissingError: If the program is not loaded.
            ServiceError: MALFORMED_REQUEST, INVALID_ARGNUMS, DERIVATIVE_UNDEFINED, RESULT_TOO_LARGE,
                DEVICE_MEMORY_EXCEEDED or COMPILATION_FAILED.
        """
        request = self._at_sizes_of(request)
        traced = self._trace(request.digest, request.wants)
        batched = layout_ahead(request, traced.plan)
        made = prepared(_address(request.digest, request.wants), traced, batched, self._tiling)
        return self._warm(made, request.points)

    def graph(self, query: GraphQuery) -> Graph:
        """The graph of what an evaluation would run.

        Raises:
            ProgramMissingError: If the program is not loaded.
            ServiceError: MALFORMED_REQUEST, INVALID_ARGNUMS, DERIVATIVE_UNDEFINED, RESULT_TOO_LARGE,
                DEVICE_MEMORY_EXCEEDED or COMPILATION_FAILED.
        """
        request = self._at_sizes_of(query.compilation)
        traced = self._trace(request.digest, request.wants)
        return graph_of(traced, layout_ahead(request, traced.plan), query)

    def prepare(self, kind: Kind) -> Prepared:
        """What all evaluations of a kind need; traced now if it was not yet, and kept.

        Raises:
            ProgramMissingError: If the program is not loaded.
            ServiceError: MALFORMED_REQUEST, INVALID_ARGNUMS, DERIVATIVE_UNDEFINED, ARGUMENT_COUNT_MISMATCH,
                ELEMENT_TYPE_MISMATCH or SHAPE_MISMATCH.
        """
        return self._kinds.find(kind) or self._kinds.get(kind, lambda: self._prepare(kind)).value

    def ready(self, kind: Kind, points: int | None, bucket: int = 1) -> bool:
        """Whether an evaluation would find its executable, and so be done without delay."""
        made = self._kinds.find(kind)
        if made is None:
            return False
        return points == 0 or self._compiler.find(made, _bucket(made, points, bucket)) is not None

    def warm(self, kind: Kind, points: int | None) -> bool:
        """Compiles what so many points of a kind need; says whether it was there.

        Raises:
            ProgramMissingError: If the program is not loaded.
            ServiceError: As `prepare`, and RESULT_TOO_LARGE, DEVICE_MEMORY_EXCEEDED or COMPILATION_FAILED.
        """
        made = self.prepare(kind)
        require_points(points, made.batched)
        return self._warm(made, points)

    def run(
        self,
        made: Prepared,
        inputs: Sequence[Buffer],
        points: int | None = None,
        places: Places | None = None,
        bucket: int = 1,
    ) -> Ran:
        """Evaluates at a point or at a batch of points, compiling first what is not compiled yet.

        Args:
            made: What was prepared for the kind.
            inputs: The elements of each input; used where they lie if that is a multiple of 64 bytes.
            points: How many points; None for a single one.
            places: For each leaf of the results memory of its size where it is written, or None.
            bucket: How many points to pad to at least; up to the kind's tile.

        Raises:
            ServiceError: MALFORMED_REQUEST, RESULT_TOO_LARGE, DEVICE_MEMORY_EXCEEDED, COMPILATION_FAILED or
                EXECUTION_FAILED.
        """
        require_points(points, made.batched)
        self._require_results_fit(made, points)
        if points is not None:
            return self._run_batch(made, inputs, points, places, bucket)
        started = perf_counter()
        found = self._found(made, None)
        ready = perf_counter()
        buffers = run_point(found.value, made, inputs, places)
        return Ran(buffers, Timing(0.0 if found.cached else ready - started, perf_counter() - ready))

    def _run_batch(
        self, made: Prepared, inputs: Sequence[Buffer], points: int, places: Places | None, least: int
    ) -> Ran:
        started = perf_counter()
        size = bucket_of(max(points, 1), made.tile, least)
        found = self._found(made, size) if points else None
        ready = perf_counter()
        buffers = run_batch(found.value if found else None, made, inputs, points, size, places)
        compiling = 0.0 if found is None or found.cached else ready - started
        batch = -(-points // size) * size
        return Ran(buffers, Timing(compiling, perf_counter() - ready, 0.0, batch, batch - points))

    def _load(self, digest: str, data: bytes) -> LoadedProgram | SymbolicProgram:
        with failing_as(Reason.MALFORMED_PROGRAM, "the program cannot be read"):
            program = with_signature(parse_program(digest, data))

        def load_at(signature: Signature) -> LoadedProgram:
            return load_program(replace(program, signature=signature), len(data), self._read, self._constants)

        with self._courtesy.tracing():
            if not program.signature.symbols:
                return load_at(program.signature)
            says = says_signature(program)
            return symbolic_program(program.signature, len(data), load_at, says_signature=says)

    def _prepare(self, kind: Kind) -> Prepared:
        digest = self._digest_at_sizes_of(kind)
        traced = self._trace(digest, kind.wants)
        batched = layout_of(kind, traced.plan)
        return prepared(_address(digest, kind.wants), traced, batched, self._tiling)

    def _at_sizes_of(self, request: Compilation) -> Compilation:
        """The request to the program at the sizes of its symbols, which has an address of its own here."""
        program = self._programs.find(request.digest)
        if not isinstance(program, SymbolicProgram):
            return request
        return replace(request, digest=self._at_sizes_address(request.digest, program, request.sizes))

    def _digest_at_sizes_of(self, kind: Kind) -> str:
        program = self._programs.find(kind.digest)
        if not isinstance(program, SymbolicProgram):
            return kind.digest
        sizes = program.sizes_of([leaf.shape for leaf in kind.arguments])
        return self._at_sizes_address(kind.digest, program, sizes)

    def _at_sizes_address(self, digest: str, program: SymbolicProgram, sizes: Sizes) -> str:
        def load() -> LoadedProgram:
            with self._courtesy.tracing():
                return program.at(sizes)

        address = f"{digest} at {dict(sizes)}"
        self._at_sizes.get(address, load)
        return address

    def _trace(self, digest: str, wants: tuple[Want, ...]) -> Traced:
        program = self._at_sizes.find(digest) or self._programs.find(digest)
        if program is None or isinstance(program, SymbolicProgram):
            raise ProgramMissingError(digest)
        return self._compiler.trace(digest, program, wants)

    def _warm(self, made: Prepared, points: int | None) -> bool:
        self._require_results_fit(made, points)
        return points == 0 or self._found(made, _bucket(made, points, 1)).cached

    def _found(self, made: Prepared, size: int | None) -> Found[Executable]:
        executable = self._compiler.find(made, size)
        if executable is not None:
            return Found(executable, cached=True)
        return self._compiler.executable(made, size)

    def _require_results_fit(self, made: Prepared, points: int | None) -> None:
        nbytes = made.result_bytes if points is None else points * made.result_bytes
        if nbytes > self._output_bytes:
            raise exceeded(
                Reason.RESULT_TOO_LARGE,
                f"the results would take {nbytes} bytes",
                value=nbytes,
                limit=self._output_bytes,
                setting="max_result_bytes",
                advice="send fewer points, or ask for less",
            )


def configure_jax() -> None:
    """Makes JAX keep 64-bit types as they are, and compute on a CPU in the thread that asks for it.

    That thread waits for the results anyway, and others run while it computes; handing a short run over to a
    thread of XLA's costs as much as the run. To be called before anything is traced.
    """
    jax.config.update("jax_enable_x64", True)  # type: ignore[no-untyped-call]
    jax.config.update("jax_cpu_enable_async_dispatch", False)  # type: ignore[no-untyped-call]


def _bucket(made: Prepared, points: int | None, least: int) -> int | None:
    return None if points is None else bucket_of(max(points, 1), made.tile, least)


def _address(digest: str, wants: tuple[Want, ...]) -> str:
    """What a plan is by content."""
    return f"{digest} {wants}"


def _tiling_of(device: jax.Device) -> Tiling:
    if device.platform == "cpu":
        return host_tiling()
    statistics = device.memory_stats() or {}
    return device_tiling(statistics.get("bytes_limit"))
