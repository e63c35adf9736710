"""The reference of all settings, made from the code: docs/configuration.md."""

from __future__ import annotations

from typing import Final, Literal, get_args, get_origin

from pydantic import ByteSize
from pydantic.fields import FieldInfo

from pullback_server.configuration.settings import Settings

_HEAD: Final = """\
# Configuration

<!-- Made by `./dev generate` from server/pullback_server/configuration/settings.py; edit that. -->

Every setting can be given as a flag of `pullback serve` (or `python -m pullback_server`), as an
environment variable, or in a TOML file that `--config` names. A flag goes before an environment
variable, that before the file, and the file before the default. A key in the file that is no setting is
an error.

```toml
# pullback.toml, used by: pullback serve --config pullback.toml
listen = "0.0.0.0:7450"
devices = "cuda"
max_message_bytes = "512MiB"
```
"""


def reference() -> str:
    """The page, as Markdown."""
    return "\n".join([_HEAD, *(_section(name, field) for name, field in Settings.model_fields.items())])


def _section(name: str, field: FieldInfo) -> str:
    flag = f"--{name.replace('_', '-')}"
    meaning = " ".join((field.description or "").split())
    return (
        f"## `{name}`\n\n{meaning}\n\n"
        f"- flag: `{flag}`\n"
        f"- environment: `PULLBACK_{name.upper()}`\n"
        f"- default: {_default(field)}{_choices(field)}\n"
    )


def _default(field: FieldInfo) -> str:
    match field.default:
        case None:
            return "none"
        case bool() as value:
            return f"`{str(value).lower()}`"
        case ByteSize() as size:
            return f"`{size.human_readable()}` ({int(size)} bytes)"
        case value:
            return f"`{value}`"


def _choices(field: FieldInfo) -> str:
    if get_origin(field.annotation) is not Literal:
        return ""
    return "\n- one of: " + ", ".join(f"`{choice}`" for choice in get_args(field.annotation))
