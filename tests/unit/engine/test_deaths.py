"""How workers die: what is said of it, and who may be to blame."""

from __future__ import annotations

import signal

import pytest

from pullback_server.engine.deaths import Death, Fate, death_of
from pullback_server.errors import Reason


@pytest.mark.parametrize(
    ("status", "starved", "words", "blamable"),
    [
        (-signal.SIGSEGV, False, "SIGSEGV", True),
        (-signal.SIGABRT, True, "SIGABRT", True),
        (-signal.SIGKILL, False, "SIGKILL", False),
        (-signal.SIGKILL, True, "for want of memory", True),
        (-signal.SIGTERM, False, "SIGTERM", False),
        (-250, False, "signal 250", True),
        (0, False, "exit status 0", True),
        (139, False, "exit status 139", True),
    ],
)
def test_death_of(status: int, words: str, *, starved: bool, blamable: bool) -> None:
    """Signals that come from outside blame nobody, but for the system that is short of memory."""
    death = death_of(status, frozenset({3}), starved=starved)
    assert words in death.how
    assert (death.blamable, death.running) == (blamable, {3})


def test_error() -> None:
    """A caller is told how often workers died, of what, and the numbers."""
    death = Death("it grew", reason=Reason.DEVICE_MEMORY_EXCEEDED, metadata={"limit": "7"})
    error = Fate(death, suspect=True).error(3)
    assert error.reason is Reason.DEVICE_MEMORY_EXCEEDED
    assert "died 3 times" in error.message
    assert error.metadata == {"deaths": "3", "limit": "7"}
