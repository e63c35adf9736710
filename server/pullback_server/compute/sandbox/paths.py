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
_OF_DRIVERS: Final = ("/dev", "/tmp")  # noqa: S108 -- nothing is made there by us
"""Where drivers write: devices, memory that they share, and pipes."""


def rules(cache: Path | None, *, accelerated: bool) -> Iterator[tuple[Path, Right]]:
    """The rights that a worker keeps.

    Args:
        cache: Where it keeps executables, and temporary files.
        accelerated: Whether it computes on a GPU, whose driver and toolkit may be anywhere, run programs of
            their own, and write to devices and temporary files.
    """
    if cache is not None:
        yield cache, WRITE
    yield from _on_a_gpu() if accelerated else _on_a_cpu()


def _on_a_gpu() -> Iterator[tuple[Path, Right]]:
    yield Path("/"), READ | Right.EXECUTE
    for folder in _OF_DRIVERS:
        yield Path(folder), WRITE | Right.MAKE_FIFO | Right.MAKE_SOCK


def _on_a_cpu() -> Iterator[tuple[Path, Right]]:
    for path in (*_readable(), *map(Path, _SOURCES)):
        yield path, READ
    yield Path("/dev/null"), READ | Right.WRITE_FILE


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
