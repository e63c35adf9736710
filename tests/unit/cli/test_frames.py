"""How `pullback top` looks."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest
from rich.console import Console

from pullback.cli.frames import frame, spell_bytes, spell_seconds, spell_uptime, unreachable
from pullback.v1 import administration_pb2 as pb

NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)


def shown(status: pb.GetStatusResponse) -> str:
    """What a frame is in a wide terminal."""
    console = Console(width=200, file=io.StringIO())
    console.print(frame(status, "here:1", NOW))
    return console.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, ""), (8.5e-4, "850 µs"), (1e-3, "1 ms"), (0.01254, "12.5 ms"), (3.204, "3.2 s"), (86.4, "86.4 s")],
)
def test_seconds(seconds: float, text: str) -> None:
    """Times have three digits and a fitting unit."""
    assert spell_seconds(seconds) == text


@pytest.mark.parametrize(
    ("nbytes", "text"),
    [(0, ""), (1023, "1.02e+03 B"), (512, "512 B"), (3 << 29, "1.5 GiB"), (1 << 50, "1.02e+03 TiB")],
)
def test_bytes(nbytes: int, text: str) -> None:
    """Sizes have three digits and a fitting unit."""
    assert spell_bytes(nbytes) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(5.9, "0 min 5 s"), (3600 * 5 + 65, "5 h 1 min"), (86_400 * 3 + 7200, "3 d 2 h")]
)
def test_uptimes(seconds: float, text: str) -> None:
    """Long times have their two largest units."""
    assert spell_uptime(seconds) == text


def test_an_idle_server() -> None:
    """Nothing happened yet: no failures, no tenants, a worker that starts."""
    status = pb.GetStatusResponse(workers=[pb.WorkerStatus(name="cpu:0", state="starting")])
    text = shown(status)
    assert "here:1" in text
    assert "03:04:05" in text
    assert "starting" in text
    assert "TENANT" not in text
    assert "FAILED  REASON" not in text


def test_a_busy_server() -> None:
    """Functions with their digests, tenants with their names, failures with their reasons."""
    row = pb.Activity(tenant="physics", function="functions/f/revisions/0123456789ab", derivative="hessian")
    row.median.FromMilliseconds(12)
    failure = pb.RecordedRequest(reason="OVERLOADED", request_id="r-7")
    failure.begin_time.FromSeconds(0)
    text = shown(
        pb.GetStatusResponse(
            draining=True,
            functions=[row],
            tenants=[pb.Activity(tenant="physics", count=7)],
            failures=[failure],
        )
    )
    assert "physics: f@01234567  hessian" in text
    assert "12 ms" in text
    assert "draining" in text
    assert "OVERLOADED" in text
    assert "r-7" in text


def test_no_server() -> None:
    """A server that cannot be asked is named, with the reason."""
    console = Console(width=80, file=io.StringIO())
    console.print(unreachable("here:1", "no answer"))
    assert console.file.getvalue() == "pullback here:1: no answer\n"  # type: ignore[attr-defined]
