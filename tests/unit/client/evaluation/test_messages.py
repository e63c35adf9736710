"""Messages of several calls, and who still waits for them."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from pullback._evaluation.messages import Message, leave
from pullback._trip import Trip


@dataclass
class Passenger:
    """A call that travels."""

    trip: Trip
    message: Message | None = None


@dataclass
class Rpc:
    """What carries a message, and how often it was cancelled."""

    cancelled: int = 0

    def cancel(self) -> None:
        """Counts."""
        self.cancelled += 1


@pytest.fixture
def passengers() -> list[Passenger]:
    """Three calls."""
    return [Passenger(Trip(f"id-{number}", None)) for number in range(3)]


def desert(passengers: list[Passenger]) -> None:
    """Has the callers of all go."""
    for passenger in passengers:
        if (message := leave(passenger)) is not None:
            message.cancel()


def test_it_goes_on_while_anybody_waits(passengers: list[Passenger]) -> None:
    """Whoever goes twice counts once; the last takes it along."""
    message, rpc = Message(passengers), Rpc()
    message.carried_by(rpc)
    desert([*passengers[:2], *passengers[:2]])
    assert (message.deserted, rpc.cancelled) == (False, 0)
    desert(passengers[2:])
    assert (message.deserted, rpc.cancelled) == (True, 1)


def test_all_go_before_it_does(passengers: list[Passenger]) -> None:
    """What would carry it is cancelled as soon as it comes."""
    message, rpc = Message(passengers), Rpc()
    desert(passengers)
    message.carried_by(rpc)
    assert rpc.cancelled == 1


def test_who_never_travelled(passengers: list[Passenger]) -> None:
    """It takes nothing along."""
    assert leave(passengers[0]) is None


def test_its_id(passengers: list[Passenger]) -> None:
    """All go under the id of the first, until one goes alone."""
    message = Message(passengers)
    assert [message.request_id, *[each.trip.sent_as for each in passengers]] == ["id-0"] * 4
    trip = passengers[1].trip
    assert (trip.alone((("a", "b"),)), trip.sent_as) == ((("x-request-id", "id-1"), ("a", "b")), "id-1")
