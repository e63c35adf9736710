"""Programs that were left running: from when on they run alone, and until when."""

from __future__ import annotations

import logging

import pytest

from pullback_server.engine.strays import Strays
from pullback_server.model.functions import EVERY_TENANT


@pytest.fixture
def now() -> list[float]:
    """The time, in seconds; tests change it."""
    return [1000.0]


@pytest.fixture
def strays(now: list[float]) -> Strays:
    """Three times of a program and four of a tenant within ten seconds are too many."""
    return Strays(3, 4, 10.0, lambda: now[0])


def leave(strays: Strays, now: list[float], *digests: str, tenant: str = "blue") -> None:
    """Each is left running, a second after the one before."""
    for digest in digests:
        now[0] += 1.0
        strays.left(digest, tenant)


def test_a_program(strays: Strays, now: list[float], caplog: pytest.LogCaptureFixture) -> None:
    """Alone from the third time on, for ten seconds after the last; for its tenant, and no other program."""
    with caplog.at_level(logging.WARNING):
        leave(strays, now, "a", "a")
        assert not strays.alone("a", "blue")
        leave(strays, now, "a")
    assert "the program a of the tenant 'blue' was left running 3 times" in caplog.text
    assert strays.alone("a", "blue")
    assert not strays.alone("b", "blue")
    assert not strays.alone("a", "red")
    now[0] += 9.0
    assert strays.alone("a", "blue")
    now[0] += 1.0
    assert not strays.alone("a", "blue")


def test_long_ago(strays: Strays, now: list[float]) -> None:
    """What was long ago does not count."""
    leave(strays, now, "a", "a")
    now[0] += 10.0
    leave(strays, now, "a")
    assert not strays.alone("a", "blue")


def test_a_tenant(strays: Strays, now: list[float]) -> None:
    """Whose programs are all new ones runs alone with whatever comes next; nobody else does."""
    leave(strays, now, "a", "b", "c")
    assert not strays.alone("e", "blue")
    leave(strays, now, "d")
    assert strays.alone("e", "blue")
    assert not strays.alone("a", "red")


@pytest.mark.parametrize("tenant", ["", EVERY_TENANT])
def test_nobody_in_particular(strays: Strays, now: list[float], tenant: str) -> None:
    """Where tenants are not told apart, one program says nothing of the others."""
    leave(strays, now, *"abcdefgh", tenant=tenant)
    assert not strays.alone("e", tenant)


def test_several_at_once(strays: Strays, now: list[float]) -> None:
    """What several tenants left together runs alone for each of them."""
    leave(strays, now, "a", "a", "a", tenant=EVERY_TENANT)
    assert strays.alone("a", "red")
    assert not strays.alone("b", "red")
