"""How far a map is, on standard error."""

from __future__ import annotations

import importlib.util

import pytest

from pullback._mapping.progress import Line, Progress


def test_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """The last state stands at the end of a map, however short it was."""
    line = Line(12_000)
    line.update(4_000)
    line.update(8_000)
    line.close()
    written = capsys.readouterr()
    assert written.err.startswith("\r12,000 of 12,000 points, ")
    assert (written.err.count("\r"), written.err[-1], written.out) == (1, "\n", "")


def test_without_a_total(capsys: pytest.CaptureFixture[str]) -> None:
    """Of an iterator nobody knows how long it is."""
    line = Line(None)
    line.update(3)
    line.close()
    assert capsys.readouterr().err.startswith("\r3 points, ")


@pytest.mark.parametrize("installed", [False, True])
def test_shown(installed: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """With tqdm where it is installed, by a line else."""
    if installed:
        pytest.importorskip("tqdm")
    else:
        monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with Progress(True, 10) as progress:
        progress.advance(10)
    written = capsys.readouterr().err
    assert ("100%" in written) == installed
    assert "10" in written


def test_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is written that nobody asked for."""
    with Progress(False, 10) as progress:
        progress.advance(10)
    assert capsys.readouterr().err == ""
