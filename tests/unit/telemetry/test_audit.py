"""The audit log: what stands in its lines, and what becomes of them when the file cannot be written."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pullback_server.telemetry.audit import STANDARD_ERROR, audit_to, audited, write


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    """The file of an audit log that is written."""
    path = tmp_path / "audit"
    with audit_to(str(path)):
        yield path


def lines(path: Path) -> list[dict[str, Any]]:
    """What stands in a file."""
    return [json.loads(line) for line in path.read_text().splitlines() if line]


def test_a_line(path: Path) -> None:
    """One JSON object with the time, without what is empty; nothing can break out of its line."""
    write({"action": "delete", "subject": 'a "b"\n{}\x1b[1m', "digest": ""})
    (line,) = lines(path)
    assert timedelta(0) <= datetime.now(UTC) - datetime.fromisoformat(line.pop("time")) < timedelta(minutes=1)
    assert line == {"action": "delete", "subject": 'a "b"\n{}\x1b[1m'}
    assert path.read_text().count("\n") == 1


def test_who_may_read_it(path: Path) -> None:
    """Its owner and a collector in its group."""
    assert path.stat().st_mode & 0o137 == 0


def test_it_is_written_inside_the_block_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Outside of it, and without a file, nothing is written, also not to the server's log."""
    path = tmp_path / "audit"
    with audit_to(str(path)):
        assert audited()
    with audit_to(""):
        assert not audited()
    assert not logging.getLogger("pullback.audit").propagate
    write({"action": "delete"})
    assert (path.read_text(), capsys.readouterr().err) == ("", "")


def test_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    """A hyphen stands for it."""
    with audit_to(STANDARD_ERROR):
        write({"action": "delete"})
    assert json.loads(capsys.readouterr().err)["action"] == "delete"


def test_a_file_that_was_moved_away(path: Path) -> None:
    """As logrotate does: what comes later stands in a new one."""
    write({"action": "first"})
    moved = path.rename(path.with_suffix(".1"))
    write({"action": "second"})
    assert [line["action"] for file in (moved, path) for line in lines(file)] == ["first", "second"]


def test_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    """Is told at the start."""
    with pytest.raises(FileNotFoundError), audit_to(str(tmp_path / "missing" / "audit")):
        pass


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="takes Linux's /dev/full")
def test_a_full_disk(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The server's log says so once and has the lines, until the file can be written again."""
    write({"action": "before"})
    kept = path.rename(path.with_suffix(".kept"))
    path.symlink_to("/dev/full")
    for number in range(3):
        write({"action": f"lost {number}"})
    kept.replace(path)
    write({"action": "after"})
    assert [line["action"] for line in lines(path)] == ["before", "after"]
    levels = [(each.levelname, each.getMessage()) for each in caplog.records if each.name != "pullback.audit"]
    assert [level for level, _ in levels] == ["ERROR", "WARNING", "WARNING", "WARNING"]
    assert "No space left" in levels[0][1]
    assert [f"lost {number}" in message for number, (_, message) in enumerate(levels[1:])] == [True] * 3
