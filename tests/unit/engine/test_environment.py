"""What workers have of the front's environment."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pullback_server.engine.devices import Placement
from pullback_server.engine.environment import inherited
from pullback_server.engine.process import Launch, start_process


def test_what_a_worker_needs() -> None:
    """It has what Python, JAX and devices are told by, and nothing that may be a secret."""
    needed = {
        "PATH": "/bin",
        "PYTHONPATH": "/here",
        "XLA_FLAGS": "--x",
        "LD_LIBRARY_PATH": "/l",
        "TPU_NAME": "t",
    }
    secret = {
        "PULLBACK_TOKEN": "s",
        "AWS_SECRET_ACCESS_KEY": "s",
        "OTEL_EXPORTER_OTLP_HEADERS": "s",
        "PATHS": "s",
    }
    assert inherited(needed | secret) == needed


def test_further_ones() -> None:
    """Those that are named come along, where they are set."""
    assert inherited({"ZE_AFFINITY_MASK": "0", "ZE_OTHER": "1"}, ["ZE_AFFINITY_MASK", "ZE_GONE"]) == {
        "ZE_AFFINITY_MASK": "0"
    }


async def test_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is started has no secret of the front's, and what its placement says."""
    monkeypatch.setenv("SECRET_OF_THE_OPERATOR", "hunter2")
    monkeypatch.setenv("WANTED", "yes")
    launch = Launch(("/bin/sh", "-c", "sleep 20"), variables=["WANTED"])
    started = start_process(launch, Placement("cpu:0", {"JAX_PLATFORMS": "cpu"}))
    try:
        environment = _environment(started.pid)
    finally:
        started.kill()
        await started.end()
    assert "hunter2" not in environment.values()
    assert (environment["WANTED"], environment["JAX_PLATFORMS"]) == ("yes", "cpu")
    assert environment["PATH"] == os.environ["PATH"]


def _environment(process: int) -> dict[str, str]:
    entries = Path(f"/proc/{process}/environ").read_bytes().decode().split("\0")
    return dict(entry.split("=", 1) for entry in entries if entry)
