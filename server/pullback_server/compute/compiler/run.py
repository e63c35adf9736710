"""Runs executables: at a point, or tile by tile over a batch.

On a CPU, inputs are used where they lie if that is a multiple of 64 bytes, and results are copied once, into
their place. On another device transfers overlap with what it computes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Final

import jax
import numpy as np

from pullback_server.compute.arrays import Array, raw
from pullback_server.compute.compiler.executable import Executable
from pullback_server.compute.compiler.prepared import Leaf, Prepared
from pullback_server.compute.compiler.tiles import pad, starts
from pullback_server.compute.failures import first_line
from pullback_server.errors import Reason, ServiceError, service_error
from pullback_server.model.evaluation import Buffer

Places = Sequence[Buffer | None]
"""For each leaf of the results the memory where it is to be written, writable; None to leave it to us."""

# While one tile computes, the next one arrives and the last one leaves. A CPU moves nothing.
_TILES_IN_FLIGHT: Final = {"cpu": 1}
_TILES_IN_FLIGHT_ELSEWHERE: Final = 3
_RUN_ERRORS: Final = (jax.errors.JaxRuntimeError, MemoryError)
_OUT_OF_MEMORY: Final = "RESOURCE_EXHAUSTED"


def run_point(
    executable: Executable, prepared: Prepared, inputs: Sequence[Buffer], places: Places | None = None
) -> list[Buffer]:
    """Runs an executable once and gives the bytes of its results.

    Args:
        executable: The executable.
        prepared: What it was made for.
        inputs: The elements of each input.
        places: Where results go.

    Raises:
        ServiceError: MALFORMED_REQUEST, DEVICE_MEMORY_EXCEEDED or EXECUTION_FAILED.
    """
    arrays = [form.array(data) for form, data in zip(prepared.inputs, inputs, strict=True)]
    try:
        found = [np.asarray(leaf) for leaf in executable(*arrays)]
    except _RUN_ERRORS as error:
        raise _failure(error) from error
    return _in_places(prepared.leaves, found, places)


def run_batch(
    executable: Executable | None,
    prepared: Prepared,
    inputs: Sequence[Buffer],
    points: int,
    bucket: int,
    places: Places | None = None,
) -> list[Buffer]:
    """Runs a batch tile by tile and gives the bytes of the results of all points.

    Args:
        executable: The executable for `bucket` points; not needed for a batch of no points.
        prepared: What it was made for.
        inputs: The elements of each input, those that are batched of all points.
        points: How many points there are.
        bucket: How many run at a time.
        places: Where results go.

    Raises:
        ServiceError: MALFORMED_REQUEST, DEVICE_MEMORY_EXCEEDED or EXECUTION_FAILED.
    """
    layout = prepared.batched or ()
    triples = zip(prepared.inputs, layout, inputs, strict=True)
    arrays = [form.array(data, points if leads else None) for form, leads, data in triples]
    with _running():
        if executable is not None and points <= bucket:
            started = executable(*_tile(arrays, layout, 0, points, bucket))
            found = [np.asarray(leaf)[:points] for leaf in started]
            return _in_places(prepared.leaves, found, places)
        memory = _memory(prepared.leaves, points, places)
        if executable is not None:
            _run_tiles(
                executable, (arrays, layout), points, bucket, _targets(prepared.leaves, memory, points)
            )
        return memory


@contextmanager
def _running() -> Iterator[None]:
    try:
        yield
    except _RUN_ERRORS as error:
        raise _failure(error) from error


def _failure(error: Exception) -> ServiceError:
    """What a failed run tells: that memory was short is the request's to mend."""
    if isinstance(error, MemoryError) or str(error).startswith(_OUT_OF_MEMORY):
        return service_error(
            Reason.DEVICE_MEMORY_EXCEEDED,
            f"the device has no memory left for the run; send fewer points at a time, or ask for products "
            f"(jvp, vjp, hvp) in place of a matrix ({first_line(error)})",
        )
    return service_error(Reason.EXECUTION_FAILED, f"the run failed: {first_line(error)}")


def _run_tiles(
    executable: Executable,
    inputs: tuple[Sequence[Array], Sequence[bool]],
    points: int,
    bucket: int,
    targets: Sequence[Array],
) -> None:
    platform = _platform()
    in_flight: deque[tuple[int, list[jax.Array]]] = deque()
    for start in starts(points, bucket):
        started = executable(*_tile(*inputs, start, bucket, bucket))
        if platform != "cpu":
            for leaf in started:
                leaf.copy_to_host_async()
        in_flight.append((start, started))
        if len(in_flight) == _TILES_IN_FLIGHT.get(platform, _TILES_IN_FLIGHT_ELSEWHERE):
            _fetch(*in_flight.popleft(), targets)
    while in_flight:
        _fetch(*in_flight.popleft(), targets)


@cache
def _platform() -> str:
    return jax.default_backend()


def _tile(
    arrays: Sequence[Array], layout: Sequence[bool], start: int, points: int, bucket: int
) -> list[Array]:
    pairs = zip(arrays, layout, strict=True)
    return [pad(array, start, points, bucket) if leads else array for array, leads in pairs]


def _fetch(start: int, started: Sequence[jax.Array], targets: Sequence[Array]) -> None:
    for leaf, target in zip(started, targets, strict=True):
        here = target[start : start + leaf.shape[0]]
        here[...] = np.asarray(leaf)[: len(here)]


def _in_places(leaves: Sequence[Leaf], found: Sequence[Array], places: Places | None) -> list[Buffer]:
    """The bytes of results that were found, those of `fixed` leaves between them; copied where places are."""
    rest = iter(found)
    results: list[Buffer] = []
    for number, leaf in enumerate(leaves):
        place = None if places is None else places[number]
        data = raw(leaf.form.elements(next(rest))) if leaf.fixed is None else leaf.fixed
        results.append(data if place is None else _written(data, place))
    return results


def _memory(leaves: Sequence[Leaf], points: int, places: Places | None) -> list[Buffer]:
    """Memory for the results of so many points, with those of `fixed` leaves in it."""
    results: list[Buffer] = []
    for number, leaf in enumerate(leaves):
        place = None if places is None else places[number]
        if leaf.fixed is not None:
            results.append(leaf.fixed if place is None else _written(leaf.fixed, place))
        else:
            results.append(np.empty(leaf.nbytes(points), np.uint8).data if place is None else place)
    return results


def _targets(leaves: Sequence[Leaf], memory: Sequence[Buffer], points: int) -> list[Array]:
    pairs = zip(leaves, memory, strict=True)
    return [leaf.form.place(data, points) for leaf, data in pairs if leaf.fixed is None]


def _written(data: Buffer, place: Buffer) -> Buffer:
    memoryview(place)[:] = data
    return place
