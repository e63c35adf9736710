"""What a worker needs of the file system: the system's libraries, Python's packages, devices, its cache."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pullback
import pullback_server
from pullback_server.compute.sandbox.landlock import READ, WRITE, Right

_SYSTEM: Final = (
    *("/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin", "/opt", "/nix", "/run/opengl-driver"),
    *("/sys", "/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/filesystems"),
    *("/proc/sys", "/proc/devices", "/proc/modules", "/proc/driver"),
    *("/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives", "/etc/localtime"),
    *("/etc/nsswitch.conf", "/etc/passwd", "/etc/group", "/etc/os-release", "/etc/nvidia", "/etc/OpenCL"),
)
"""Libraries, what they are configured with, and what the kernel tells. Neither keys nor anybody's home."""
_SOURCES: Final = ("/dev/zero", "/dev/random", "/dev/urandom")
_ACCELERATORS: Final = ("nvidia*", "nvidia-caps", "dri", "kfd")


def rules(cache: Path | None, *, accelerated: bool) -> Iterator[tuple[Path, Right]]:
    """The rights that a worker keeps.

    Args:
        cache: Where it keeps executables, and temporary files.
        accelerated: Whether it computes on a GPU, for which the compiler may run programs of the CUDA
            toolkit, and whose driver writes to its devices.
    """
    reading = READ | Right.EXECUTE if accelerated else READ
    for folder in _readable():
        yield folder, reading
    for file in _SOURCES:
        yield Path(file), READ
    yield Path("/dev/null"), READ | Right.WRITE_FILE
    if cache is not None:
        yield cache, WRITE
    if accelerated:
        for pattern in _ACCELERATORS:
            for device in Path("/dev").glob(pattern):
                yield device, READ | Right.WRITE_FILE


def _readable() -> Iterator[Path]:
    yield from map(Path, _SYSTEM)
    yield from map(Path, {sys.prefix, sys.base_prefix, sys.exec_prefix})
    for package in (pullback, pullback_server):
        yield Path(str(package.__file__)).resolve().parents[1]
    # `python -m` puts the folder that it was started in before all others: anything may lie there.
    here = Path.cwd()
    yield from (path for entry in sys.path if entry and (path := Path(entry).resolve()) != here)
    libraries = os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)
    yield from (Path(folder) for folder in libraries if folder)
