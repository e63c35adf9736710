"""Where settings come from: flags, then environment variables, then a TOML file, then defaults."""

from __future__ import annotations

import argparse
import os
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import (
    BaseSettings,
    CliSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
)

from pullback_server.configuration.settings import Settings


class ConfigurationError(ValueError):
    """A setting is unknown or has a value that it cannot have."""


def load_settings(arguments: Sequence[str]) -> Settings:
    """Gathers the settings.

    Args:
        arguments: The command line, without the program.

    Raises:
        ConfigurationError: If a setting is unknown or has a value that it cannot have.
        SystemExit: For `--help`, and for flags that there are not, as argparse does.
    """
    path = _config_path(arguments)
    file = _read(path) if path else {}

    class Sourced(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            del init_settings, dotenv_settings, file_secret_settings
            flags: CliSettingsSource[Any] = CliSettingsSource(settings_cls, cli_parse_args=list(arguments))
            return flags, env_settings, InitSettingsSource(settings_cls, file)

    try:
        return Sourced()
    except ValidationError as error:
        raise ConfigurationError(_explain(error, path)) from error


def _config_path(arguments: Sequence[str]) -> Path | None:
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--config", default=os.environ.get("PULLBACK_CONFIG"))
    given = parser.parse_known_args(list(arguments))[0].config
    return Path(given) if given else None


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"the configuration file {path} cannot be read: {error}") from error


def _explain(error: ValidationError, path: Path | None) -> str:
    lines = []
    for problem in error.errors():
        name = ".".join(map(str, problem["loc"]))
        if problem["type"] == "extra_forbidden":
            lines.append(f"{path} has the unknown setting {name!r}; --help names all settings")
        else:
            lines.append(f"the setting {name} cannot be {problem['input']!r}: {problem['msg']}")
    return "\n".join(lines)
