"""What a process may use of the machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pullback_server.engine.machine import this_machine


def test_without_limits(tmp_path: Path) -> None:
    """Where no group limits it, it is what the system says."""
    machine = this_machine(tmp_path)
    assert 1 <= machine.cores <= (os.cpu_count() or 1)
    assert machine.memory_bytes > 1 << 28


@pytest.mark.parametrize(
    ("quota", "cores"), [("50000 100000", 1), ("100000 100000", 1), ("max 100000", None)]
)
def test_a_container_has_its_share(tmp_path: Path, quota: str, cores: int | None) -> None:
    """A quota of processor time counts as processors, rounded, and one at least."""
    whole = this_machine(tmp_path)
    (tmp_path / "cpu.max").write_text(f"{quota}\n")
    (tmp_path / "memory.max").write_text("123456\n")
    machine = this_machine(tmp_path)
    assert machine.cores == (whole.cores if cores is None else cores)
    assert machine.memory_bytes == 123456


def test_no_limit_of_memory(tmp_path: Path) -> None:
    """Of a group that says so, the limit is the machine's."""
    (tmp_path / "memory.max").write_text("max\n")
    assert this_machine(tmp_path) == this_machine(tmp_path / "missing")
