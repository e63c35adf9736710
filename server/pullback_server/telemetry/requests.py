"""The id of the request that is being served, wherever in the call stack one asks."""

from __future__ import annotations

import uuid
from contextvars import ContextVar
from typing import Final

_LONGEST: Final = 128

request_id: ContextVar[str] = ContextVar("request_id", default="")


def accept_request_id(offered: str | None) -> str:
    """The id that a caller offers where it is printable ASCII of at most 128 characters, else a new one."""
    if offered and len(offered) <= _LONGEST and offered.isascii() and offered.isprintable():
        return offered
    return uuid.uuid4().hex
