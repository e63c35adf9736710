"""The files that tell what was in hand."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pullback_server.model.evaluation import Kind
from pullback_server.model.quantities import Quantity
from pullback_server.telemetry.crashes import Crashes
from pullback_server.telemetry.recorder import Recorder
from pullback_server.telemetry.requests import request_id


def stored(folder: Path) -> list[dict[str, Any]]:
    """What is in the files, the oldest first; all of them are JSON."""
    return [json.loads(path.read_text()) for path in sorted(folder.iterdir())]


@pytest.fixture
def recorder(kind: Callable[..., Kind]) -> Recorder:
    """One request in hand, one that has ended."""
    recorder = Recorder(5)
    now = time.monotonic()
    recorder.begin((now, "open", "a", "functions/f", kind(Quantity.VALUE), None))
    recorder.keep((now, "ended", "a", "functions/g", kind(Quantity.HESSIAN), 3), 0.5)
    return recorder


async def test_a_dead_worker(tmp_path: Path, recorder: Recorder, caplog: pytest.LogCaptureFixture) -> None:
    """The file has who died and why, what was in hand, and the last requests; the log says where it is."""
    crashes = Crashes(tmp_path / "crashes", recorder)
    crashes.worker_died("cpu:1", "signal 9")
    await crashes.written()
    [crash] = stored(tmp_path / "crashes")
    assert (crash["worker"], crash["cause"]) == ("cpu:1", "signal 9")
    assert [record["request_id"] for record in crash["in_hand"]] == ["open"]
    assert [(record["request_id"], record["derivative"]) for record in crash["recent"]] == [
        ("ended", "hessian")
    ]
    assert str(tmp_path / "crashes") in caplog.text


async def test_errors_that_nobody_foresaw(tmp_path: Path, recorder: Recorder) -> None:
    """The file has the traceback and the request; a storm of errors leaves one file a second."""
    crashes = Crashes(tmp_path, recorder)
    request_id.set("r-1")
    for number in range(50):
        crashes.unforeseen(ZeroDivisionError(f"number {number}"))
    await crashes.written()
    [crash] = stored(tmp_path)
    assert "ZeroDivisionError: number 0" in crash["traceback"]
    assert crash["request_id"] == "r-1"


async def test_old_files_go(tmp_path: Path, recorder: Recorder) -> None:
    """So many files are kept, the newest."""
    crashes = Crashes(tmp_path, recorder, most_files=2)
    for number in range(4):
        crashes.worker_died(f"cpu:{number}", "x")
        await crashes.written()
    assert [crash["worker"] for crash in stored(tmp_path)] == ["cpu:2", "cpu:3"]


async def test_a_disk_that_refuses(
    tmp_path: Path, recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    """Where nothing can be written, the log says so, and nothing is raised."""
    (tmp_path / "file").write_text("in the way")
    crashes = Crashes(tmp_path / "file", recorder)
    with caplog.at_level(logging.ERROR):
        crashes.worker_died("cpu:0", "x")
        await crashes.written()
    assert "could not be written" in caplog.text
