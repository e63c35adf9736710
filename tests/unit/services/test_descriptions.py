"""What a function is described with, from the server's model to the client's and to the terminal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from rich.console import Console

import pullback
from pullback._descriptions import details_from_wire
from pullback.cli.display import describe, function_as_json
from pullback.program.derivatives import DerivativeKind, DerivativeSupport
from pullback.v1 import functions_pb2
from pullback_server.model.functions import Registered
from pullback_server.services.conversion import function_to_wire

REASON = "this function has no such derivative (vjp): it has a loop"


@pytest.fixture(name="described")
def described_fixture(registered: Callable[..., Registered]) -> functions_pb2.Function:
    """The message of a function that has forward mode only."""
    function = registered("f64[]", x="f64[3]")
    supports = (
        DerivativeSupport(DerivativeKind.FORWARD, supported=True),
        DerivativeSupport(DerivativeKind.REVERSE, supported=False, reason=REASON),
        DerivativeSupport(DerivativeKind.SECOND_ORDER, supported=False, reason=REASON),
    )
    return function_to_wire(replace(function, revision=replace(function.revision, derivatives=supports)))


def test_derivatives_reach_the_client(described: functions_pb2.Function) -> None:
    """With their kinds and reasons, in order."""
    details = details_from_wire(described)
    assert [support.kind for support in details.derivatives] == list(pullback.DerivativeKind)
    assert [support.supported for support in details.derivatives] == [True, False, False]
    assert [support.reason for support in details.derivatives] == ["", REASON, REASON]


def test_kinds_of_newer_servers_are_passed_over(described: functions_pb2.Function) -> None:
    """A client that does not know a kind says nothing of it."""
    described.derivatives.add(kind=99, supported=True)  # type: ignore[arg-type]
    assert len(details_from_wire(described).derivatives) == 3


def test_derivatives_are_shown(described: functions_pb2.Function) -> None:
    """In a terminal a line each, in JSON an object each."""
    details = details_from_wire(described)
    console = Console(width=200)
    with console.capture() as capture:
        console.print(describe(details))
    lines = [line.strip() for line in capture.get().splitlines()]
    assert f"no second order: {REASON}" in lines
    assert any(line.split() == ["derivatives", "forward"] for line in lines)
    assert function_as_json(details)["derivatives"][1] == {
        "kind": "reverse",
        "supported": False,
        "reason": REASON,
    }
