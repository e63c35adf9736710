"""The id and the method of the request that is being served, wherever in the call stack one asks."""

from __future__ import annotations

import itertools
import secrets
from contextvars import ContextVar
from typing import Final

_LONGEST: Final = 128
# Of this process, and counted on in it: a number of its own for each request, without asking the system.
_PROCESS: Final = secrets.token_hex(8)
_NUMBERS: Final = itertools.count(1)

request_id: ContextVar[str] = ContextVar("request_id", default="")
method: ContextVar[str] = ContextVar("method", default="")
"""The method that is being served, `Service/Method`; empty where requests are not watched."""


def accept_request_id(offered: str | None) -> str:
    """The id that a caller offers where it is printable ASCII of at most 128 characters, else a new one."""
    if offered and len(offered) <= _LONGEST and offered.isascii() and offered.isprintable():
        return offered
    return f"{_PROCESS}{next(_NUMBERS):016x}"
