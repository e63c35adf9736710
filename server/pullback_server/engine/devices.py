"""Which workers there are: one for each device that the configuration names."""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pullback.precautions import single_threaded
from pullback_server.engine.machine import Machine, this_machine

_CUDA_PLUGINS: Final = ("jax_cuda12_plugin", "jax_cuda13_plugin")
_NVIDIA_DEVICE: Final = re.compile(r"nvidia(\d+)")
_SPELLINGS: Final = '"auto", "cpu", "cpu:N" for N workers, "cuda", "cuda:0,1", "tpu"'

_MOST_CPU_WORKERS: Final = 8
_CPU_WORKER_BYTES: Final = 2 << 30
_CORES_OF_MANY_THREADS: Final = 4
_CORES_FOR_A_SPARE: Final = 4
# Results of a CPU are memory of the heap. By default glibc maps blocks above 32 MiB anew for each of them,
# which takes longer than to fill them; these are kept, up to the second number.
_ALLOCATION: Final = {
    "MALLOC_MMAP_THRESHOLD_": str(128 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(256 << 20),
}


class DevicesError(ValueError):
    """The configuration names devices that are not there, or no devices at all."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where one worker computes.

    Attributes:
        name: How to call the worker, such as `cuda:0`.
        environment: What its environment has beyond the front's.
        exclusive: Whether it has the device for itself, so that no second process can wait there.
    """

    name: str
    environment: Mapping[str, str] = field(default_factory=dict)
    exclusive: bool = False


def placements(
    devices: str, folder: Path = Path("/dev"), machine: Machine | None = None
) -> tuple[Placement, ...]:
    """The workers for a setting of `devices`.

    Args:
        devices: `auto`, `cpu`, `cpu:N` (N workers), `cuda`, `cuda:0,1` or `tpu`.
        folder: Where device files are.
        machine: What CPU workers share; this one where left out.

    Raises:
        DevicesError: If the setting is none of these or names a device that is not there.
    """
    kind, _, detail = devices.partition(":")
    match kind, detail:
        case "auto", "":
            return placements("cuda" if _has_cuda(folder) else "cpu", folder, machine)
        case "cpu", _ if not detail or _is_count(detail):
            machine = machine or this_machine()
            return _cpus(int(detail or cpu_workers(machine)), machine)
        case "cuda", "":
            return tuple(map(_cuda, _visible(folder)))
        case "cuda", _ if all(part.isdecimal() for part in detail.split(",")):
            return tuple(map(_cuda, detail.split(",")))
        case "tpu", "":
            return (Placement("tpu:0", {"JAX_PLATFORMS": "tpu,cpu"}, exclusive=True),)
        case _:
            raise DevicesError(f"devices are {_SPELLINGS}, not {devices!r}")


def _is_count(text: str) -> bool:
    return text.isdecimal() and int(text) > 0


def cpu_workers(machine: Machine, *, single: bool | None = None) -> int:
    """How many workers use a CPU well, if nobody says how many.

    Batches are split over workers, which scales better than XLA's threads do; a single point has those
    threads only. So a worker that has but one gets one core, and others four, as far as there is memory.

    Args:
        machine: What they share.
        single: Whether XLA may use one thread only; found out where left out.
    """
    single = single_threaded() if single is None else single
    wanted = machine.cores if single else machine.cores // _CORES_OF_MANY_THREADS
    return max(1, min(wanted, machine.memory_bytes // _CPU_WORKER_BYTES, _MOST_CPU_WORKERS))


def spare_workers(setting: str | int, placed: Sequence[Placement], machine: Machine | None = None) -> int:
    """How many processes wait to take the place of one that dies.

    Args:
        setting: A number, or `auto`: one where there are cores to spare for it.
        placed: Where the workers compute; where that is exclusive, nobody can wait.
        machine: What they share; this one where left out.
    """
    if any(placement.exclusive for placement in placed):
        return 0
    if setting != "auto":
        return int(setting)
    return int((machine or this_machine()).cores >= _CORES_FOR_A_SPARE)


def _cpus(count: int, machine: Machine) -> tuple[Placement, ...]:
    environment = {"JAX_PLATFORMS": "cpu", **_unless_set(_ALLOCATION)}
    if not single_threaded() and machine.cores < (os.cpu_count() or 1):
        # XLA counts the processors of the machine, not those that a container may use.
        environment |= _unless_set({"NPROC": str(machine.cores)})
    return tuple(Placement(f"cpu:{ordinal}", environment) for ordinal in range(count))


def _unless_set(environment: Mapping[str, str]) -> dict[str, str]:
    """What of this the user has not set otherwise."""
    return {name: value for name, value in environment.items() if name not in os.environ}


def _cuda(ordinal: str) -> Placement:
    environment = {"JAX_PLATFORMS": "cuda,cpu", "CUDA_VISIBLE_DEVICES": ordinal}
    return Placement(f"cuda:{ordinal}", environment, exclusive=True)


def _has_cuda(folder: Path) -> bool:
    installed = any(importlib.util.find_spec(name) for name in _CUDA_PLUGINS)
    return installed and (folder / "nvidia0").exists()


def _visible(folder: Path) -> list[str]:
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        ordinals = [part.strip() for part in chosen.split(",") if part.strip()]
    else:
        matches = map(_NVIDIA_DEVICE.fullmatch, (path.name for path in folder.iterdir()))
        ordinals = sorted((match[1] for match in matches if match), key=int)
    if not ordinals:
        raise DevicesError(
            f"no CUDA device is there: {folder} has no nvidia0, or CUDA_VISIBLE_DEVICES hides it; "
            'install the driver, or set devices to "cpu"'
        )
    return ordinals
