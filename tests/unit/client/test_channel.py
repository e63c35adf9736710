"""When a call is tried again."""

from __future__ import annotations

import pytest

from pullback._channel import Deadline, announcement, pause_before_retry
from pullback.errors import InvalidArgumentError, LimitExceededError, OverloadedError, PullbackError
from pullback.v1 import evaluation_pb2

OVERLOADED = OverloadedError("too much", retry_after=0.5)


@pytest.mark.parametrize(
    ("error", "attempt", "remaining", "pause"),
    [
        (OVERLOADED, 1, None, 0.5),
        (OVERLOADED, 3, 10.0, 0.5),
        (OVERLOADED, 4, None, None),
        (OVERLOADED, 1, 0.4, None),
        (OverloadedError("no delay given"), 1, None, None),
        (LimitExceededError("too large", retry_after=0.5), 1, None, None),
        (InvalidArgumentError("wrong"), 1, None, None),
    ],
)
def test_pauses(error: PullbackError, attempt: int, remaining: float | None, pause: float | None) -> None:
    """The server's delay after an overload, within the attempts and the deadline; nothing else."""
    assert pause_before_retry(error, attempt, remaining) == pause


def test_deadlines() -> None:
    """What remains shrinks to 0 and no further; without a timeout there is no end."""
    assert Deadline(None).remaining() is None
    assert Deadline(-1.0).remaining() == 0.0
    remaining = Deadline(60.0).remaining()
    assert remaining is not None
    assert 59.0 < remaining <= 60.0


def test_announcements() -> None:
    """A large request tells its size before it is sent, a small one or a message nothing."""
    assert announcement(bytes((1 << 20) + 1)) == (("pullback-request-bytes", "1048577"),)
    assert announcement(bytes(1 << 20)) is None
    assert announcement(evaluation_pb2.CompileRequest(function="f" * (2 << 20))) is None
