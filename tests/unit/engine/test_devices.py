"""Which workers a setting of `devices` gives."""

from __future__ import annotations

from pathlib import Path

import pytest

from pullback_server.engine.devices import DevicesError, placements


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
        ("cpu", ["cpu:0"]),
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
    assert placements("cpu")[0].environment == {"JAX_PLATFORMS": "cpu"}
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
    """Without a GPU, auto is one CPU worker."""
    assert [placement.name for placement in placements("auto", tmp_path)] == ["cpu:0"]


@pytest.mark.parametrize("setting", ["", "gpu", "cpu:0", "cpu:-1", "cpu:x", "cuda:a", "tpu:1", "auto:2"])
def test_what_is_no_device(setting: str, devices: Path) -> None:
    """Other settings are refused with the spellings that there are."""
    with pytest.raises(DevicesError, match=r'"cpu:N"'):
        placements(setting, devices)
