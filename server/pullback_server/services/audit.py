"""What is written to the audit log: changes, with what came of them, and callers who were turned away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from inspect import isasyncgenfunction
from typing import Any, Final

from pullback_server.errors import AccessError, Reason, ServiceError
from pullback_server.services.context import Context
from pullback_server.telemetry import audit
from pullback_server.telemetry.requests import request_id
from pullback_server.tenants.callers import caller

peer: ContextVar[str] = ContextVar("peer", default="")
"""From where the call comes that is being served; set for those of services that change something."""

Behaviour = Callable[[Any, Context], Any]

_OK: Final = "OK"
_CANCELLED: Final = "CANCELLED"
_LONGEST: Final = 500
_LINES_OF_STRANGERS: Final = 10


@dataclass(slots=True)
class Change:
    """A change that is being made.

    Attributes:
        action: What it is, in a word.
        resource: What is changed: a resource name in its long form.
        details: What else belongs to it, such as the digest.
    """

    action: str
    resource: str = ""
    details: dict[str, str] = field(default_factory=dict)


@asynccontextmanager
async def changing(action: str, resource: str = "", **details: str) -> AsyncIterator[Change]:
    """Writes a change to the audit log at the end of the block, and so before its call is answered.

    Args:
        action: What it is, in a word.
        resource: What is changed, as the caller names it.
        details: What else belongs to it.

    Yields:
        The change, to which the block adds what it finds.
    """
    change = Change(action, resource, details)
    try:
        yield change
    except ServiceError as error:
        await _record(change, error.reason.value)
        _told.set(error)
        raise
    except Exception:
        await _record(change, Reason.INTERNAL.value)
        raise
    except (asyncio.CancelledError, GeneratorExit):
        # Who called has gone; what was begun may have been done all the same.
        await _record(change, _CANCELLED)
        raise
    await _record(change, _OK)


async def turned_away(error: AccessError, where: str) -> None:
    """Writes to the audit log that a caller was turned away, unless that stands there as a change already."""
    if _told.get() is error:
        return
    details = {"message": error.message}
    if error.reason is Reason.UNAUTHENTICATED:
        if not _strangers.may_be_told():
            return
        details["left_out"] = _strangers.left_out()
    await _record(Change("call", details=details), error.reason.value, where)


class _Strangers:
    """Bounds what callers whom nobody knows can have written: a number of lines a second."""

    def __init__(self) -> None:
        self._second = 0
        self._lines = 0
        self._left_out = 0

    def may_be_told(self) -> bool:
        """Whether there may be one more line; counts those that may not."""
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._lines = second, 0
        self._lines += 1
        fits = self._lines <= _LINES_OF_STRANGERS
        self._left_out += not fits
        return fits

    def left_out(self) -> str:
        """How many lines were left out before this one; empty for none."""
        left_out, self._left_out = self._left_out, 0
        return str(left_out or "")


_strangers: Final = _Strangers()
_told: ContextVar[ServiceError | None] = ContextVar("_told", default=None)


def with_peer(answer: Behaviour) -> Behaviour:
    """A method as gRPC calls it, with `peer` set."""

    async def one(raw: Any, context: Context) -> Any:
        peer.set(context.peer())
        return await answer(raw, context)

    async def many(raw: Any, context: Context) -> AsyncIterator[Any]:
        peer.set(context.peer())
        async with aclosing(answer(raw, context)) as responses:
            async for response in responses:
                yield response

    return many if isasyncgenfunction(answer) else one


async def _record(change: Change, outcome: str, where: str = "") -> None:
    if not audit.audited():
        return
    entry = {
        "request_id": request_id.get(),
        **({} if outcome == Reason.UNAUTHENTICATED else _who()),
        "peer": where or peer.get(),
        "action": change.action,
        "resource": change.resource,
        "outcome": outcome,
        **change.details,
    }
    await asyncio.to_thread(audit.write, {key: value[:_LONGEST] for key, value in entry.items()})


def _who() -> dict[str, str]:
    who = caller.get()
    return {"tenant": who.tenant, "subject": who.subject, "role": who.role.value}
