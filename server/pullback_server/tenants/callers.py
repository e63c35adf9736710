"""The caller of a request, wherever in the call stack one asks."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """What a caller may do; each role has the rights of those before it."""

    EVALUATE = "evaluate"
    REGISTER = "register"
    ADMINISTER = "administer"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls.

    Attributes:
        tenant: The name of the tenant; empty on a server without identities, where all are one tenant.
        subject: Who it is within the tenant, for logs and audits: a token's name, or the subject of a JWT or
            of a certificate.
        role: What the caller may do.
    """

    tenant: str
    subject: str
    role: Role


ANYBODY: Final = Caller("", "anybody", Role.ADMINISTER)
"""Every caller of a server without identities."""

caller: ContextVar[Caller] = ContextVar("caller", default=ANYBODY)
