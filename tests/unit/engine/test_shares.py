"""What workers on a CPU may need of the machine's memory."""

from __future__ import annotations

import pytest

from pullback_server.engine.devices import Placement
from pullback_server.engine.machine import Machine, this_machine
from pullback_server.engine.shares import memory_share, process_share

CPU = Placement("cpu:0", {"JAX_PLATFORMS": "cpu"})
GPU = Placement("cuda:0", {"JAX_PLATFORMS": "cuda,cpu"})


@pytest.mark.parametrize(("count", "share"), [(1, 12 << 30), (3, 4 << 30)])
def test_workers_on_a_cpu(count: int, share: int) -> None:
    """They divide three quarters of the memory."""
    assert memory_share([CPU] * count, Machine(4, 16 << 30)) == share
    assert 0 < (memory_share([CPU] * count) or 0) <= this_machine().memory_bytes


def test_workers_on_a_gpu() -> None:
    """They have memory of their own."""
    assert memory_share([GPU], Machine(4, 16 << 30)) is None


@pytest.mark.parametrize("placement", [CPU, GPU])
def test_processes_leave_room(placement: Placement) -> None:
    """However many they are, they take no more than nine tenths of it, and more than their runs need."""
    machine = Machine(4, 16 << 30)
    for count in (1, 3):
        share = process_share([placement] * count, machine)
        assert share * count <= 0.9 * machine.memory_bytes
        assert share > (memory_share([placement] * count, machine) or 0)
    assert 0 < process_share([placement]) < this_machine().memory_bytes
