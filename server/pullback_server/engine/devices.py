"""Which workers there are: one for each device that the configuration names."""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_CUDA_PLUGINS: Final = ("jax_cuda12_plugin", "jax_cuda13_plugin")
_NVIDIA_DEVICE: Final = re.compile(r"nvidia(\d+)")
_SPELLINGS: Final = '"auto", "cpu", "cpu:N" for N workers, "cuda", "cuda:0,1", "tpu"'


class DevicesError(ValueError):
    """The configuration names devices that are not there, or no devices at all."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where one worker computes.

    Attributes:
        name: How to call the worker, such as `cuda:0`.
        environment: What its environment has beyond the front's.
    """

    name: str
    environment: Mapping[str, str] = field(default_factory=dict)


def placements(devices: str, folder: Path = Path("/dev")) -> tuple[Placement, ...]:
    """The workers for a setting of `devices`.

    Args:
        devices: `auto`, `cpu`, `cpu:N` (N workers), `cuda`, `cuda:0,1` or `tpu`.
        folder: Where device files are.

    Raises:
        DevicesError: If the setting is none of these or names a device that is not there.
    """
    kind, _, detail = devices.partition(":")
    match kind, detail:
        case "auto", "":
            return placements("cuda" if _has_cuda(folder) else "cpu", folder)
        case "cpu", _ if not detail or _is_count(detail):
            return tuple(map(_cpu, range(int(detail or 1))))
        case "cuda", "":
            return tuple(map(_cuda, _visible(folder)))
        case "cuda", _ if all(part.isdecimal() for part in detail.split(",")):
            return tuple(map(_cuda, detail.split(",")))
        case "tpu", "":
            return (Placement("tpu:0", {"JAX_PLATFORMS": "tpu,cpu"}),)
        case _:
            raise DevicesError(f"devices are {_SPELLINGS}, not {devices!r}")


def _is_count(text: str) -> bool:
    return text.isdecimal() and int(text) > 0


def _cpu(ordinal: int) -> Placement:
    return Placement(f"cpu:{ordinal}", {"JAX_PLATFORMS": "cpu"})


def _cuda(ordinal: str) -> Placement:
    return Placement(f"cuda:{ordinal}", {"JAX_PLATFORMS": "cuda,cpu", "CUDA_VISIBLE_DEVICES": ordinal})


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
