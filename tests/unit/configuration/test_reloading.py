"""Reading anew while a server runs: all of it or nothing, and what takes a restart is named."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pullback_server.configuration.reloading import RELOADABLE, Apply, Reloading, reload_log_level
from pullback_server.configuration.settings import Settings
from pullback_server.configuration.sources import load_settings


@pytest.fixture
def level() -> Iterator[None]:
    """Puts the level of the log back."""
    before = logging.getLogger().level
    yield
    logging.getLogger().setLevel(before)


def reloading(file: Path) -> Reloading:
    """What reads the settings of a file anew."""

    def read() -> Settings:
        return load_settings(["--config", str(file)])

    return Reloading(read(), read)


@pytest.mark.usefixtures("level")
def test_the_log_level_changes(tmp_path: Path) -> None:
    """A level that was changed in the file counts from the reload on."""
    file = tmp_path / "pullback.toml"
    file.write_text('log_level = "INFO"\n')
    parts = reloading(file)
    parts.add(reload_log_level)
    file.write_text('log_level = "ERROR"\n')
    assert parts.reload()
    assert logging.getLogger().level == logging.ERROR


@pytest.mark.parametrize("content", ["log_level = 3\n", "bogus = 1\n", "log_level =\n", None])
@pytest.mark.usefixtures("level")
def test_a_bad_file_changes_nothing(
    tmp_path: Path, content: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """A file that cannot be, or that is gone, is told, and everything stays."""
    file = tmp_path / "pullback.toml"
    file.write_text("")
    parts = reloading(file)
    done: list[str] = []
    parts.add(lambda _: lambda: done.append("changed"))
    if content is None:
        file.unlink()
    else:
        file.write_text(content)
    assert not parts.reload()
    assert done == []
    assert "everything stays as it was" in caplog.text
    file.write_text("")
    assert parts.reload()
    assert done == ["changed"]


def test_one_bad_part_keeps_all(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Where the last part cannot be read, the first is not changed either."""
    (tmp_path / "pullback.toml").write_text("")
    parts = reloading(tmp_path / "pullback.toml")
    done: list[str] = []

    def bad(_: Settings) -> Apply:
        raise ValueError("the certificate has expired")

    parts.add(lambda _: lambda: done.append("changed"))
    parts.add(bad)
    assert not parts.reload()
    assert done == []
    assert "the certificate has expired" in caplog.text


def test_what_takes_a_restart_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A setting that cannot change while the server runs is named, once."""
    file = tmp_path / "pullback.toml"
    file.write_text("max_batch = 1\n")
    parts = reloading(file)
    file.write_text("max_batch = 2\n")
    assert parts.reload()
    assert "take a restart: max_batch" in caplog.text
    caplog.clear()
    assert parts.reload()
    assert "restart" not in caplog.text


def test_descriptions_say_what_can_change() -> None:
    """The reference says of exactly these settings that they are read anew."""
    saying: Callable[[str], bool] = lambda name: "SIGHUP" in (Settings.model_fields[name].description or "")  # noqa: E731
    assert {name for name in Settings.model_fields if saying(name)} == RELOADABLE
