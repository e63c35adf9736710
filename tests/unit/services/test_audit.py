"""What the audit log is told of changes and of callers who are turned away."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pullback_server.errors import AccessError, Reason, service_error
from pullback_server.services import audit
from pullback_server.services.audit import changing, turned_away
from pullback_server.telemetry.audit import audit_to
from pullback_server.telemetry.requests import request_id
from pullback_server.tenants.callers import Caller, Role, caller

DENIED = service_error(Reason.PERMISSION_DENIED, "not you")
UNKNOWN = service_error(Reason.UNAUTHENTICATED, "who are you")
Told = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Told]:
    """What the audit log has been told, without the time."""
    path = tmp_path / "audit"
    with audit_to(str(path)):
        yield lambda: [_without_time(line) for line in path.read_text().splitlines()]


def _without_time(line: str) -> dict[str, Any]:
    entry = json.loads(line)
    del entry["time"]
    return dict(entry)


@contextmanager
def called_by_red() -> Iterator[None]:
    """A call of a caller whom one knows."""
    tokens = [
        (caller, caller.set(Caller("red", "ci", Role.REGISTER))),
        (request_id, request_id.set("42")),
        (audit.peer, audit.peer.set("ipv4:10.0.0.1:7")),
    ]
    yield
    for variable, token in tokens:
        variable.reset(token)  # type: ignore[arg-type]


RED = {"request_id": "42", "tenant": "red", "subject": "ci", "role": "register", "peer": "ipv4:10.0.0.1:7"}


async def test_a_change(told: Told) -> None:
    """Who, from where, what, and that it came about; what the block finds counts."""
    with called_by_red():
        async with changing("grant", "functions/f", grantee="blue") as change:
            assert told() == []
            change.resource = "tenants/red/functions/f"
    assert told() == [
        {**RED, "action": "grant", "resource": "tenants/red/functions/f", "outcome": "OK", "grantee": "blue"}
    ]


@pytest.mark.parametrize(
    ("error", "outcome"),
    [(DENIED, "PERMISSION_DENIED"), (ZeroDivisionError(), "INTERNAL")],
)
async def test_a_change_that_fails(told: Told, error: Exception, outcome: str) -> None:
    """The reason stands there, once, and the error goes on."""
    with called_by_red():
        with pytest.raises(type(error)):
            async with changing("delete", "functions/f"):
                raise error
        if isinstance(error, AccessError):
            await turned_away(error, "ipv4:10.0.0.1:7")
    assert told() == [{**RED, "action": "delete", "resource": "functions/f", "outcome": outcome}]


async def test_who_is_turned_away(told: Told) -> None:
    """Who it is where that is known, and why."""
    with called_by_red():
        await turned_away(DENIED, "ipv4:10.0.0.2:8")
    where = {"peer": "ipv4:10.0.0.2:8"}
    assert told() == [
        {**RED, **where, "action": "call", "outcome": "PERMISSION_DENIED", "message": "not you"}
    ]


async def test_strangers_cannot_fill_the_log(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten lines a second are about callers whom nobody knows; the next says how many were left out."""
    monkeypatch.setattr(audit, "_strangers", audit._Strangers())
    now = [5.0]
    monkeypatch.setattr(audit.time, "monotonic", lambda: now[0])
    for _ in range(25):
        await turned_away(UNKNOWN, "ipv4:10.0.0.2:8")
    assert len(told()) == 10
    assert {"tenant", "subject", "role", "left_out"}.isdisjoint(told()[0])
    now[0] += 1
    await turned_away(UNKNOWN, "ipv4:10.0.0.2:8")
    assert told()[-1]["left_out"] == "15"


async def test_long_names_are_cut(told: Told) -> None:
    """A caller cannot write what it likes as long as it likes."""
    async with changing("delete", "x" * 10_000):
        pass
    assert len(told()[0]["resource"]) == 500


async def test_nothing_is_done_without_a_log() -> None:
    """The block runs as without it."""
    async with changing("delete", "functions/f") as change:
        assert change.action == "delete"


async def test_a_change_whose_caller_goes(told: Told) -> None:
    """Stands there too: it may have been made."""

    async def change() -> None:
        async with changing("register", "functions/f"):
            await asyncio.sleep(60)

    working = asyncio.create_task(change())
    await asyncio.sleep(0.01)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert [line["outcome"] for line in told()] == ["CANCELLED"]
