"""Runs executables: at a point, or tile by tile over a batch."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Final

import jax
import numpy as np

from pullback.program.tensors import TensorType
from pullback_server.compute.arrays import Array
from pullback_server.compute.compiler.executable import Executable
from pullback_server.compute.compiler.tiles import Tile, pad
from pullback_server.compute.failures import failing_as
from pullback_server.errors import Reason

# So many tiles are on the device at once: one runs while the one before it is fetched.
_TILES_IN_FLIGHT: Final = 2
_RUN_ERRORS: Final = (jax.errors.JaxRuntimeError, MemoryError)


def run_point(executable: Executable, inputs: Sequence[Array]) -> list[Array]:
    """Runs an executable once and gives its results.

    Raises:
        ServiceError: EXECUTION_FAILED.
    """
    with failing_as(Reason.EXECUTION_FAILED, "the run failed", _RUN_ERRORS):
        return [np.asarray(leaf) for leaf in _start(executable, inputs)]


def run_batch(
    executables: Mapping[int | None, Executable],
    tiles: Sequence[Tile],
    inputs: Sequence[Array],
    batched: Sequence[bool],
    leaves: Sequence[TensorType],
) -> list[Array]:
    """Runs a batch tile by tile and gives the results of all points.

    Args:
        executables: For each bucket its executable.
        tiles: The tiles; none for a batch of no points.
        inputs: The inputs, those that are batched with all points.
        batched: Which of the inputs are batched.
        leaves: The types of the results at one point.

    Raises:
        ServiceError: EXECUTION_FAILED.
    """
    with failing_as(Reason.EXECUTION_FAILED, "the run failed", _RUN_ERRORS):
        if len(tiles) == 1:
            (tile,) = tiles
            started = _start(executables[tile.bucket], _inputs_of(tile, inputs, batched))
            return [np.asarray(leaf)[: tile.points] for leaf in started]
        return _run_tiles(executables, tiles, inputs, batched, leaves)


def _run_tiles(
    executables: Mapping[int | None, Executable],
    tiles: Sequence[Tile],
    inputs: Sequence[Array],
    batched: Sequence[bool],
    leaves: Sequence[TensorType],
) -> list[Array]:
    points = tiles[-1].stop if tiles else 0
    results: list[Array] = [np.empty((points, *leaf.shape), leaf.element.dtype) for leaf in leaves]
    in_flight: deque[tuple[Tile, list[jax.Array]]] = deque()
    for tile in tiles:
        started = _start(executables[tile.bucket], _inputs_of(tile, inputs, batched))
        in_flight.append((tile, started))
        if len(in_flight) == _TILES_IN_FLIGHT:
            _fetch(*in_flight.popleft(), results)
    while in_flight:
        _fetch(*in_flight.popleft(), results)
    return results


def _inputs_of(tile: Tile, inputs: Sequence[Array], batched: Sequence[bool]) -> list[Array]:
    pairs = zip(inputs, batched, strict=True)
    return [pad(array, tile) if leads else array for array, leads in pairs]


def _start(executable: Executable, inputs: Sequence[Array]) -> list[jax.Array]:
    """Starts a run and, behind it, the transfer of its results to the host."""
    results = executable(*inputs)
    if not _on_host():
        for leaf in results:
            leaf.copy_to_host_async()
    return results


@cache
def _on_host() -> bool:
    return jax.default_backend() == "cpu"


def _fetch(tile: Tile, started: Sequence[jax.Array], results: Sequence[Array]) -> None:
    for leaf, result in zip(started, results, strict=True):
        result[tile.start : tile.stop] = np.asarray(leaf)[: tile.points]
