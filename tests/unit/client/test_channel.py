"""When a call is tried again."""

from __future__ import annotations

import pytest

from pullback._channel import (
    Deadline,
    announcement,
    may_be_several,
    more_telling,
    options,
    pause_before_retry,
)
from pullback.errors import (
    DeadlineExceededError,
    InvalidArgumentError,
    LimitExceededError,
    OverloadedError,
    PullbackError,
    UnavailableError,
)
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
    given = pause_before_retry(error, attempt, remaining)
    assert given == pause if pause is None else given is not None and pause <= given <= 1.25 * pause


def test_those_who_were_refused_together_come_back_apart() -> None:
    """No two pauses are alike, though the delay is."""
    assert len({pause_before_retry(OVERLOADED, 1, None) for _ in range(8)}) > 1


@pytest.mark.parametrize(
    ("error", "attempt", "pauses"),
    [
        (UnavailableError("gone", code="UNAVAILABLE"), 1, True),
        (UnavailableError("gone", code="UNAVAILABLE"), 39, True),
        (UnavailableError("gone", code="UNAVAILABLE"), 40, False),
        (UnavailableError("closed", code="CANCELLED"), 1, False),
    ],
)
def test_a_server_that_was_there_is_waited_for(error: PullbackError, attempt: int, pauses: bool) -> None:
    """A server that has answered may come back; one that never did is not waited for."""
    pause = pause_before_retry(error, attempt, None, served=True)
    assert (pause is not None) == pauses
    assert pause is None or 0 < pause <= 2
    assert pause_before_retry(error, attempt, None) is None
    assert pause_before_retry(error, attempt, 0.01, served=True) is None


def test_a_deadline_that_passes_while_the_server_is_away() -> None:
    """The call fails with why the server is away; one that the server itself tells of stands."""
    away = UnavailableError("gone", code="UNAVAILABLE")
    late, told = DeadlineExceededError("late"), DeadlineExceededError("late", reason="RUN_TIME_EXCEEDED")
    assert more_telling(late, away) is away
    assert more_telling(late, None) is late
    assert more_telling(late, OVERLOADED) is late
    assert more_telling(told, away) is told
    assert more_telling(OVERLOADED, away) is OVERLOADED


def test_servers_that_do_not_serve_yet_are_waited_for() -> None:
    """Where all say NOT_SERVING, they are there, and a first call waits for them as well."""
    error = UnavailableError("no server answers (backend unhealthy)", code="UNAVAILABLE")
    assert pause_before_retry(error, 1, None) is not None


@pytest.mark.parametrize(
    ("address", "several"),
    [
        ("localhost:7450", False),
        ("127.0.0.1:7450", False),
        ("[::1]:7450", False),
        ("unix:/run/pullback", False),
        ("ipv4:127.0.0.1:1", False),
        ("ipv4:127.0.0.1:1,127.0.0.1:2", True),
        ("dns:///pullback.example:7450", True),
        ("dns:///10.0.0.1:7450", False),
        ("pullback:7450", True),
        ("pullback", True),
        ("localhost", False),
    ],
)
def test_health_is_followed_where_there_may_be_several(address: str, several: bool) -> None:
    """Of one server alone the health is not followed: there is nowhere else to go."""
    assert may_be_several(address) == several
    config = str(dict(options(address))["grpc.service_config"])
    assert ("healthCheckConfig" in config) == several


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
