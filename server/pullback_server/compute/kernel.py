"""The door of the compute floor: loads programs, compiles and evaluates. Knows no sockets."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from time import perf_counter
from typing import Final

import jax
import numpy as np

from pullback.graphs.data import Graph
from pullback.program.signature import Signature
from pullback_server.compute.arrays import Array, to_array, to_tensor
from pullback_server.compute.cache import Cache
from pullback_server.compute.compiler.compiler import Compiler
from pullback_server.compute.compiler.executable import Executable
from pullback_server.compute.compiler.layout import Batched, layout_ahead, layout_of
from pullback_server.compute.compiler.run import run_batch, run_point
from pullback_server.compute.compiler.tiles import Tile, Tiling
from pullback_server.compute.compiler.trace import Traced
from pullback_server.compute.constants import Constants
from pullback_server.compute.failures import failing_as
from pullback_server.compute.formats.reader import read as read_any_format
from pullback_server.compute.formats.reader import says_signature, with_signature
from pullback_server.compute.graph.sketch import graph_of
from pullback_server.compute.planner.sparse.coloring import Block
from pullback_server.compute.programs import (
    LoadedProgram,
    ProgramMissingError,
    Read,
    load_program,
    parse_program,
)
from pullback_server.compute.survey import survey
from pullback_server.compute.symbolic import Sizes, SymbolicProgram, symbolic_program
from pullback_server.errors import Reason, service_error
from pullback_server.model.devices import Device, WorkerDescription
from pullback_server.model.evaluation import (
    Buffer,
    Compilation,
    Evaluation,
    Kind,
    Outcome,
    Tensor,
    Timing,
)
from pullback_server.model.functions import DerivativeSupport, Findings
from pullback_server.model.graphs import GraphQuery
from pullback_server.model.memory import Place
from pullback_server.model.quantities import Want

_PLATFORMS: Final = {"gpu": "cuda"}


@dataclass(frozen=True, slots=True)
class Prepared:
    """Everything that a run needs.

    Attributes:
        executables: For each bucket its executable; for a single point, that of the bucket None.
        tiles: The tiles of a batch.
        cached: Whether everything was there already.
    """

    executables: dict[int | None, Executable]
    tiles: tuple[Tile, ...]
    cached: bool


class Kernel:
    """Computes with programs on this process's device. Threads may call it at the same time.

    Compiling one function holds up no other: threads wait for each other only where they want the
    same executable.

    Args:
        program_cache_bytes: How many bytes of serialized programs are kept; the longest unused go first.
        executable_cache: How many executables are kept; the longest unused go first.
        output_bytes: The most bytes that the results of one evaluation may take.
        sweep_bytes: How many bytes the directions of a Jacobian or Hessian that are taken at a time may
            need.
        tiling: How large batches are cut.
        read: Reads a program into a function that JAX can trace.
    """

    def __init__(
        self,
        program_cache_bytes: int = 256 * 2**20,
        executable_cache: int = 1024,
        output_bytes: int = 2**31,
        sweep_bytes: int = 256 * 2**20,
        tiling: Tiling | None = None,
        read: Read = read_any_format,
    ) -> None:
        configure_jax()
        self._programs: Cache[str, LoadedProgram | SymbolicProgram] = Cache(
            program_cache_bytes, lambda program: program.nbytes
        )
        self._at_sizes: Cache[str, LoadedProgram] = Cache(executable_cache)
        self._constants = Constants()
        self._compiler = Compiler(executable_cache, sweep_bytes)
        self._output_bytes = output_bytes
        self._tiling = tiling or Tiling()
        self._read = read

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
        return WorkerDescription(kind, versions)

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
            ServiceError: MALFORMED_REQUEST, INVALID_ARGNUMS, DERIVATIVE_UNDEFINED, LIMIT_EXCEEDED or
                COMPILATION_FAILED.
        """
        request = self._at_sizes_of(request)
        traced, cached = self._trace(request.digest, request.wants)
        batched = layout_ahead(request, traced.plan)
        prepared = self._prepare(request, traced, batched)
        return cached and prepared.cached

    def graph(self, query: GraphQuery) -> Graph:
        """The graph of what an evaluation would run.

        Raises:
            ProgramMissingError: If the program is not loaded.
            ServiceError: MALFORMED_REQUEST, INVALID_ARGNUMS, DERIVATIVE_UNDEFINED, LIMIT_EXCEEDED or
                COMPILATION_FAILED.
        """
        request = self._at_sizes_of(query.compilation)
        traced, _ = self._trace(request.digest, request.wants)
        return graph_of(traced, layout_ahead(request, traced.plan), query)

    def evaluate(self, evaluation: Evaluation) -> Outcome:
        """Evaluates, compiling first what is not compiled yet.

        Raises:
            ProgramMissingError: If the program is not loaded.
            ServiceError: As `compile`, and ARGUMENT_COUNT_MISMATCH, ELEMENT_TYPE_MISMATCH, SHAPE_MISMATCH
                and EXECUTION_FAILED.
        """
        started = perf_counter()
        kind, points = evaluation.kind, evaluation.points
        address = self._address_at_sizes_of(kind)
        traced, cached = self._trace(address, kind.wants)
        batched = layout_of(kind, points, traced.plan)
        pairs = zip(kind.types(points), evaluation.inputs, strict=True)
        inputs = [
            to_array(Tensor(type_, data.view if isinstance(data, Place) else data)) for type_, data in pairs
        ]
        prepared = self._prepare(Compilation(address, kind.wants, points), traced, batched)
        ready = perf_counter()
        results = _run(prepared, inputs, batched, traced)
        timing = Timing(0.0 if cached and prepared.cached else ready - started, perf_counter() - ready)
        return Outcome(_by_want(traced, map(to_tensor, results)), timing)

    def _load(self, digest: str, data: bytes) -> LoadedProgram | SymbolicProgram:
        with failing_as(Reason.MALFORMED_PROGRAM, "the program cannot be read"):
            program = with_signature(parse_program(digest, data))

        def load_at(signature: Signature) -> LoadedProgram:
            return load_program(replace(program, signature=signature), len(data), self._read, self._constants)

        if not program.signature.symbols:
            return load_at(program.signature)
        return symbolic_program(program.signature, len(data), load_at, says_signature=says_signature(program))

    def _at_sizes_of(self, request: Compilation) -> Compilation:
        """The request to the program at the sizes of its symbols, which has an address of its own here."""
        program = self._programs.find(request.digest)
        if not isinstance(program, SymbolicProgram):
            return request
        return replace(request, digest=self._address(request.digest, program, request.sizes))

    def _address_at_sizes_of(self, kind: Kind) -> str:
        program = self._programs.find(kind.digest)
        if not isinstance(program, SymbolicProgram):
            return kind.digest
        return self._address(kind.digest, program, program.sizes_of([leaf.shape for leaf in kind.arguments]))

    def _address(self, digest: str, program: SymbolicProgram, sizes: Sizes) -> str:
        address = f"{digest} at {dict(sizes)}"
        self._at_sizes.get(address, lambda: program.at(sizes))
        return address

    def _trace(self, digest: str, wants: tuple[Want, ...]) -> tuple[Traced, bool]:
        program = self._at_sizes.find(digest) or self._programs.find(digest)
        if program is None or isinstance(program, SymbolicProgram):
            raise ProgramMissingError(digest)
        found = self._compiler.trace(digest, program, wants)
        return found.value, found.cached

    def _prepare(self, request: Compilation, traced: Traced, batched: Batched) -> Prepared:
        self._require_outputs_fit(traced, request.points)
        tiles = self._tiles(traced, batched, request.points)
        buckets = dict.fromkeys(tile.bucket for tile in tiles) if batched is not None else [None]
        found = {
            bucket: self._compiler.executable(request.digest, request.wants, traced, batched, bucket)
            for bucket in buckets
        }
        executables = {bucket: executable.value for bucket, executable in found.items()}
        return Prepared(executables, tiles, all(executable.cached for executable in found.values()))

    def _tiles(self, traced: Traced, batched: Batched, points: int | None) -> tuple[Tile, ...]:
        if batched is None or points is None:
            return ()
        pairs = zip(traced.plan.inputs, batched, strict=True)
        batched_inputs = sum(leaf.nbytes for leaf, leads in pairs if leads)
        return tuple(self._tiling.cut(points, batched_inputs + traced.nbytes + traced.plan.working_bytes))

    def _require_outputs_fit(self, traced: Traced, points: int | None) -> None:
        nbytes = traced.nbytes * (1 if points is None else points)
        if nbytes > self._output_bytes:
            raise service_error(
                Reason.LIMIT_EXCEEDED,
                f"the results would take {nbytes} bytes, and {self._output_bytes} are allowed; "
                "send fewer points, or ask for less",
                limit=str(self._output_bytes),
                value=str(nbytes),
            )


def configure_jax() -> None:
    """Makes JAX keep 64-bit types as they are; to be called before anything is traced."""
    jax.config.update("jax_enable_x64", True)  # type: ignore[no-untyped-call]


def _run(prepared: Prepared, inputs: Sequence[Array], batched: Batched, traced: Traced) -> list[Array]:
    if batched is None:
        return run_point(prepared.executables[None], inputs)
    return run_batch(prepared.executables, prepared.tiles, inputs, batched, traced.leaves)


def _by_want(traced: Traced, leaves: Iterable[Tensor]) -> tuple[tuple[Tensor, ...], ...]:
    remaining = iter(leaves)
    pairs = zip(traced.results, traced.plan.blocks, strict=True)
    return tuple(_with_coordinates([next(remaining) for _ in result], blocks) for result, blocks in pairs)


def _with_coordinates(leaves: Sequence[Tensor], blocks: Sequence[Block]) -> tuple[Tensor, ...]:
    """The leaves, each followed by the rows and columns of its entries where it is sparse."""
    if not blocks:
        return tuple(leaves)
    triples = (
        (leaf, to_tensor(block.rows), to_tensor(block.columns))
        for leaf, block in zip(leaves, blocks, strict=True)
    )
    return tuple(tensor for triple in triples for tensor in triple)
