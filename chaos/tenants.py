"""The tenants of a run, with their tokens."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Tenant:
    """One tenant.

    Attributes:
        name: Its name.
        token: The secret of its clients.
        factor: What its functions have that those of others have not, so that a mix-up is seen.
    """

    name: str
    token: str
    factor: float


def tenants(count: int) -> list[Tenant]:
    """So many tenants."""
    return [Tenant(f"team-{index}", secrets.token_hex(32), 0.75 + index) for index in range(count)]


def write(path: Path, known: Sequence[Tenant]) -> None:
    """Writes the file that tells a server of them; it has hashes, not secrets."""
    lines = []
    for tenant in known:
        digest = hashlib.sha256(tenant.token.encode()).hexdigest()
        lines += [f"[tenants.{tenant.name}]", "weight = 1.0", f"[[tenants.{tenant.name}.tokens]]"]
        lines += ['name = "chaos"', f'sha256 = "{digest}"', 'role = "administer"']
    path.write_text("\n".join(lines) + "\n")
