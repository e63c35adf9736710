"""Logs: text for people, JSON lines for collectors, both with the request id."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest

from pullback_server.model.tickets import Ticket, ticket
from pullback_server.telemetry.logs import LogFormat, set_up_logging
from pullback_server.telemetry.requests import accept_request_id, method, request_id


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Puts the root logger back as it was."""
    root = logging.getLogger()
    before = (root.level, root.handlers[:])
    token = request_id.set("")
    yield
    request_id.reset(token)
    root.setLevel(before[0])
    root.handlers[:] = before[1]


def test_text(capsys: pytest.CaptureFixture[str]) -> None:
    """A line has level, logger, message and, inside a request, its id."""
    set_up_logging("INFO", LogFormat.TEXT)
    logging.getLogger("a.b").info("outside %d", 1)
    request_id.set("r-7")
    tokens = method.set("S/M"), ticket.set(Ticket("physics"))
    logging.getLogger("a.b").warning("inside")
    logging.getLogger("a.b").debug("unheard")
    method.reset(tokens[0])
    ticket.reset(tokens[1])
    first, second = capsys.readouterr().err.splitlines()
    assert first.endswith("a.b: outside 1")
    assert "INFO" in first
    assert second.endswith("a.b: inside [request_id r-7, tenant physics, method S/M]")


def test_text_of_others(capsys: pytest.CaptureFixture[str]) -> None:
    """What somebody else chose makes no lines and moves no cursor; a stack keeps its lines."""
    set_up_logging("INFO", LogFormat.TEXT)
    try:
        _ = 1 / 0
    except ZeroDivisionError:
        logging.getLogger("a").exception("of %s", "me\n2026-01-01 INFO forged\x1b[2J\u2028\té")
    first, second, *_ = capsys.readouterr().err.splitlines()
    assert first.endswith(r"of me\n2026-01-01 INFO forged\x1b[2J\u2028\té")
    assert second.startswith("Traceback")


def test_text_of_others_in_an_exception(capsys: pytest.CaptureFixture[str]) -> None:
    """No line of a stack begins as those of the log do, and none moves the cursor."""
    set_up_logging("INFO", LogFormat.TEXT)
    try:
        _fail("of me\n2026-01-01 INFO forged\r\x1b[2J\x85\u2028é")
    except ValueError:
        logging.getLogger("a").exception("failed")
    lines = capsys.readouterr().err.rstrip("\n").split("\n")
    assert lines[1].startswith("Traceback")
    assert all(line.startswith("  ") for line in lines[2:])
    assert lines[-1] == r"  2026-01-01 INFO forged\r\x1b[2J\x85\u2028é"


def _fail(words: str) -> None:
    raise ValueError(words)


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    """Each line is one object, an exception with line breaks as well."""
    set_up_logging("DEBUG", LogFormat.JSON)
    request_id.set("r-8")
    try:
        _ = 1 / 0
    except ZeroDivisionError:
        logging.getLogger("a").exception("failed\nbadly")
    (line,) = capsys.readouterr().err.splitlines()
    entry = json.loads(line)
    assert (entry["level"], entry["logger"], entry["message"]) == ("ERROR", "a", "failed\nbadly")
    assert entry["request_id"] == "r-8"
    assert "ZeroDivisionError" in entry["exception"]
    assert entry["time"].endswith("Z")


@pytest.mark.parametrize("offered", ["abc-1", "x" * 128])
def test_offered_request_ids(offered: str) -> None:
    """A usable id is taken as it is."""
    assert accept_request_id(offered) == offered


@pytest.mark.parametrize("offered", [None, "", "x" * 129, "a\nb", "é"])
def test_made_request_ids(offered: str | None) -> None:
    """Where none is offered, or one that could forge a line of the log, a new one is made."""
    made = accept_request_id(offered)
    assert made != offered
    assert len(made) == 32
    assert accept_request_id(offered) != made
