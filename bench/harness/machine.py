"""What it was measured on."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version


def machine() -> str:
    """The machine and the versions, for the head of a table."""
    versions = ", ".join(f"{name} {version(package)}" for name, package in _PACKAGES.items())
    return f"{platform.machine()} {platform.system()}, {os.cpu_count()} cores, {_python()}, {versions}"


def load() -> str:
    """How many processes wanted to run in the last minute, on average."""
    return f"load average {os.getloadavg()[0]:.1f}"


def _python() -> str:
    return f"Python {platform.python_version()}"


_PACKAGES = {"JAX": "jax", "grpcio": "grpcio"}
