"""What computes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Device:
    """A device that computes.

    Attributes:
        platform: `cpu`, `cuda` or `tpu`.
        kind: The maker's name for it.
        ordinal: Its number among those of its platform.
    """

    platform: str
    kind: str
    ordinal: int


@dataclass(frozen=True, slots=True)
class WorkerDescription:
    """What a worker says of itself when it is ready.

    Attributes:
        device: The device it computes on.
        versions: Versions of what computes, such as `{"jax": "0.10.2"}`.
        confined: What its process cannot do: see docs/security.md.
    """

    device: Device
    versions: Mapping[str, str]
    confined: tuple[str, ...] = ()
