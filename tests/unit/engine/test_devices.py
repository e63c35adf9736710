"""Which workers a setting of `devices` gives."""

from __future__ import annotations

from pathlib import Path

import pytest

from pullback_server.engine import devices as devices_module
from pullback_server.engine.devices import DevicesError, cpu_workers, placements
from pullback_server.engine.machine import Machine


@pytest.fixture
def devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of device files with three GPUs."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    for name in ("nvidia10", "nvidia0", "nvidia2", "nvidiactl", "null"):
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("setting", "names"),
    [
        ("cpu:3", ["cpu:0", "cpu:1", "cpu:2"]),
        ("cuda", ["cuda:0", "cuda:2", "cuda:10"]),
        ("cuda:2,0", ["cuda:2", "cuda:0"]),
        ("tpu", ["tpu:0"]),
    ],
)
def test_spellings(devices: Path, setting: str, names: list[str]) -> None:
    """Each spelling gives its workers, GPUs in the order of their numbers."""
    assert [placement.name for placement in placements(setting, devices)] == names


def test_environment(devices: Path) -> None:
    """A worker sees its own device only."""
    assert placements("cpu:1")[0].environment["JAX_PLATFORMS"] == "cpu"
    second = placements("cuda", devices)[1].environment
    assert second == {"JAX_PLATFORMS": "cuda,cpu", "CUDA_VISIBLE_DEVICES": "2"}


def test_visible_devices(devices: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """CUDA_VISIBLE_DEVICES chooses among the GPUs, and hides them all if it is empty."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2, 1")
    assert [placement.name for placement in placements("cuda", devices)] == ["cuda:2", "cuda:1"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(DevicesError, match="CUDA_VISIBLE_DEVICES"):
        placements("cuda", devices)


def test_auto_without_gpu(tmp_path: Path) -> None:
    """Without a GPU, auto is the CPU."""
    machine = Machine(4, 1 << 40)
    names = [placement.name for placement in placements("auto", tmp_path, machine)]
    assert names == [f"cpu:{ordinal}" for ordinal in range(cpu_workers(machine))]
    assert names == [placement.name for placement in placements("cpu", tmp_path, machine)]


@pytest.mark.parametrize(
    ("cores", "gibibytes", "single", "workers"),
    [
        (1, 64, True, 1),
        (2, 64, True, 2),
        (6, 64, True, 6),
        (96, 64, True, 8),
        (8, 5, True, 2),
        (8, 1, True, 1),
        (2, 64, False, 1),
        (12, 64, False, 3),
        (96, 64, False, 8),
    ],
)
def test_workers_of_a_cpu(cores: int, gibibytes: int, single: bool, workers: int) -> None:
    """As many as use the cores well, as far as there is memory, and at most eight."""
    assert cpu_workers(Machine(cores, gibibytes << 30), single=single) == workers


def test_what_the_user_has_set_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables that choose how memory is allocated are set where they are not."""
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "7")
    monkeypatch.delenv("MALLOC_MMAP_THRESHOLD_", raising=False)
    environment = placements("cpu:1")[0].environment
    assert "MALLOC_TRIM_THRESHOLD_" not in environment
    assert int(environment["MALLOC_MMAP_THRESHOLD_"]) > 32 << 20


def test_fewer_processors_than_the_machine_has(monkeypatch: pytest.MonkeyPatch) -> None:
    """XLA is told how many threads a container's share is good for, where it may have several."""
    monkeypatch.delenv("NPROC", raising=False)
    monkeypatch.setattr(devices_module, "single_threaded", lambda: False)
    monkeypatch.setattr(devices_module.os, "cpu_count", lambda: 16)
    assert placements("cpu:1", machine=Machine(3, 1 << 33))[0].environment["NPROC"] == "3"
    assert "NPROC" not in placements("cpu:1", machine=Machine(16, 1 << 33))[0].environment


@pytest.mark.parametrize("setting", ["", "gpu", "cpu:0", "cpu:-1", "cpu:x", "cuda:a", "tpu:1", "auto:2"])
def test_what_is_no_device(setting: str, devices: Path) -> None:
    """Other settings are refused with the spellings that there are."""
    with pytest.raises(DevicesError, match=r'"cpu:N"'):
        placements(setting, devices)
