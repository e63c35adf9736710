"""Callers of several tenants: mutated messages under sound tokens of every role, under garbled ones, or none.

The messages, and what must hold, are those of `fuzz.messages`; here they have to come through the door, and
what a tenant may not do is refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Final

from e2e.server.running import Running
from fuzz import messages
from fuzz.calling import Metadata
from fuzz.chance import dice
from fuzz.messages import fuzz_messages
from fuzz.mutations import octets
from fuzz.report import Report

_ROLES: Final = {"register": 5, "evaluate": 2, "administer": 2}
_TENANTS: Final = ("ordinary", "other")
_INNOCENT: Final = "innocent"
_GARBLED_SHARE: Final = 0.2
_PRINTABLE: Final = range(0x21, 0x7F)
_LONG: Final = 6000


def flags(folder: Path) -> tuple[str, ...]:
    """Has a server know the tenants; their file is in the folder."""
    file = folder / "tenants.toml"
    lines = []
    for tenant in (*_TENANTS, _INNOCENT):
        lines.append(f"[tenants.{tenant}]")
        for role in _ROLES:
            digest = hashlib.sha256(_token(tenant, role).encode()).hexdigest()
            lines += [f"[[tenants.{tenant}.tokens]]", f'name = "{role}"', f'sha256 = "{digest}"']
            lines.append(f'role = "{role}"')
    file.write_text("\n".join(lines) + "\n")
    return (*messages.FLAGS, f"--tenants-file={file}")


def shown(seed: int, number: int) -> Metadata:
    """What the caller of a case shows."""
    chance = dice(seed, -number)
    tenant = chance.choice(_TENANTS)
    (role,) = chance.choices(tuple(_ROLES), weights=tuple(_ROLES.values()))
    sound = _bearer(_token(tenant, role))
    return _garbled(sound, chance) if chance.random() < _GARBLED_SHARE else sound


def fuzz_callers(server: Running, seed: int, numbers: Sequence[int], tell: Callable[[str], None]) -> Report:
    """Sends the cases of these numbers to a server with tenants, each under what its caller shows."""
    server.metadata = _bearer(_token(_TENANTS[0], "register"))
    innocent = _token(_INNOCENT, "register")
    return fuzz_messages(server, seed, numbers, tell, lambda number: shown(seed, number), innocent)


def _token(tenant: str, role: str) -> str:
    """No secret: whoever repeats a case needs the same."""
    return hashlib.sha256(f"{tenant} {role}".encode()).hexdigest()


def _bearer(token: str) -> Metadata:
    return (("authorization", f"Bearer {token}"),)


def _garbled(sound: Metadata, chance: Random) -> Metadata:
    ((key, value),) = sound
    kinds: tuple[Callable[[], Metadata], ...] = (
        lambda: (),
        lambda: ((key, ""),),
        lambda: ((key, _printable(octets.mutated(value.encode(), chance))),),
        lambda: ((key, value + chance.choice("=.~") * _LONG),),
        lambda: ((key, value.replace("Bearer", chance.choice(("Basic", "bearer", "Bearer Bearer", "")))),),
        lambda: (*sound, *sound),
        lambda: (*sound, ("x-request-id", _printable(chance.randbytes(chance.randrange(200))))),
        lambda: (*sound, ("pullback-request-bytes", str(chance.choice((0, -1, 1 << 21, 1 << 40))))),
    )
    return chance.choice(kinds)()


def _printable(data: bytes) -> str:
    """The text of bytes as a header may have it; gRPC sends no other."""
    return "".join(chr(byte) for byte in data if byte in _PRINTABLE)
