"""Settings: where they come from, in which order, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from pullback_server.configuration.reference import reference
from pullback_server.configuration.settings import Settings
from pullback_server.configuration.sources import ConfigurationError, load_settings

PAGE = Path(__file__).parents[3] / "docs" / "configuration.md"


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting comes from the tests' own environment."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"PULLBACK_{name.upper()}", raising=False)


def test_defaults() -> None:
    """Without anything there are defaults."""
    settings = load_settings([])
    assert (settings.listen, settings.devices, settings.max_message_bytes) == (
        "127.0.0.1:7450",
        "auto",
        256 * 2**20,
    )


def test_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Flags go before the environment, that before the file, the file before defaults."""
    file = tmp_path / "pullback.toml"
    file.write_text("max_batch = 1\nmax_in_flight = 2\ngrace_seconds = 3.5\n")
    monkeypatch.setenv("PULLBACK_MAX_BATCH", "10")
    monkeypatch.setenv("PULLBACK_MAX_IN_FLIGHT", "20")
    settings = load_settings(["--config", str(file), "--max-batch", "100"])
    assert (settings.max_batch, settings.max_in_flight, settings.grace_seconds) == (100, 20, 3.5)
    assert settings.drain_seconds == 2.0


def test_file_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PULLBACK_CONFIG names the file where no flag does."""
    file = tmp_path / "pullback.toml"
    file.write_text('devices = "cpu:3"\n')
    monkeypatch.setenv("PULLBACK_CONFIG", str(file))
    assert load_settings([]).devices == "cpu:3"


def test_sizes_and_switches() -> None:
    """Sizes may have units, and a switch needs no value."""
    settings = load_settings(["--max-message-bytes", "2MiB", "--exit-with-parent", "--log-format=json"])
    assert settings.max_message_bytes == 2 * 2**20
    assert (settings.exit_with_parent, settings.log_format) == (True, "json")


def test_frozen() -> None:
    """Settings do not change once they are there."""
    with pytest.raises(ValidationError, match="frozen"):
        load_settings([]).max_batch = 3  # type: ignore[misc]


def test_unknown_key_in_the_file(tmp_path: Path) -> None:
    """A key that is no setting is an error that names it and the file."""
    file = tmp_path / "pullback.toml"
    file.write_text("max_batc = 1\n")
    with pytest.raises(ConfigurationError, match=f"{file} has the unknown setting 'max_batc'"):
        load_settings(["--config", str(file)])


@pytest.mark.parametrize("content", [None, "max_batch = ", "\x00"])
def test_unreadable_file(tmp_path: Path, content: str | None) -> None:
    """A file that is missing or no TOML is an error that names it."""
    file = tmp_path / "pullback.toml"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ConfigurationError, match=str(file)):
        load_settings(["--config", str(file)])


@pytest.mark.parametrize(
    "arguments",
    [
        ["--max-batch", "0"],
        ["--max-batch", "many"],
        ["--grace-seconds", "-1"],
        ["--max-message-bytes", "3GiB"],
        ["--max-message-bytes", "1XB"],
    ],
)
def test_values_that_cannot_be(arguments: list[str]) -> None:
    """A value out of range is an error that names the setting and the value."""
    name = arguments[0].removeprefix("--").replace("-", "_")
    with pytest.raises(ConfigurationError, match=f"{name} cannot be '{arguments[1]}'"):
        load_settings(arguments)


@pytest.mark.parametrize("arguments", [["--max-batc", "1"], ["--log-format", "xml"]])
def test_flags_that_there_are_not(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A flag or choice that there is not ends the program with the usage."""
    with pytest.raises((SystemExit, ConfigurationError)):
        load_settings(arguments)
    capsys.readouterr()


def test_help_names_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    """--help tells every setting with its default."""
    with pytest.raises(SystemExit) as caught:
        load_settings(["--help"])
    assert caught.value.code == 0
    printed = capsys.readouterr().out
    for name in Settings.model_fields:
        assert f"--{name.replace('_', '-')}" in printed
    assert "(default: 127.0.0.1:7450)" in printed


def test_every_setting_is_described() -> None:
    """Each field has a docstring."""
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_reference_is_up_to_date() -> None:
    """docs/configuration.md is what the code says; `./dev generate` renews it."""
    assert PAGE.read_text() == reference()


def test_log_levels_in_small_letters() -> None:
    """`--log-level debug` is understood."""
    assert load_settings(["--log-level", "debug"]).log_level == "DEBUG"
