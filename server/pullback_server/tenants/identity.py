"""Who somebody was found to be, and for how long that holds."""

from __future__ import annotations

from dataclasses import dataclass

from pullback_server.tenants.callers import Caller


@dataclass(frozen=True, slots=True)
class Identity:
    """What credentials showed.

    Attributes:
        caller: Whose they are.
        expires: When they cease to hold, in seconds since 1970; None if they do not by themselves.
        issued: Whether an issuer vouches for them, and not the directory.
    """

    caller: Caller
    expires: float | None = None
    issued: bool = False
