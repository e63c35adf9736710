"""Where what belongs to a tenant lies: in `tenants/NAME/`, but at the top for that with the empty name."""

from __future__ import annotations

from pathlib import Path

from pullback.program.naming import is_name


def home(folder: Path, tenant: str) -> Path:
    """The place of a tenant in the directory of a registry."""
    return folder / "tenants" / tenant if tenant else folder


def tenants_in(folder: Path) -> tuple[str, ...]:
    """The names of the tenants that may have something in a directory; the empty name is the first."""
    return ("", *sorted(path.name for path in (folder / "tenants").glob("*") if is_name(path.name)))
