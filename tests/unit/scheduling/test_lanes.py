"""Lanes: kinds that can travel together share one, and those that nobody uses are forgotten."""

from __future__ import annotations

from dataclasses import replace

from squaring import BATCH, POINT

from pullback.program.elements import ElementType
from pullback.program.tensors import TensorType
from pullback_server.scheduling.lane import Joining
from pullback_server.scheduling.lanes import Lanes


def test_alike() -> None:
    """Points and batches share a lane, by what they are; what differs in anything has another."""
    lanes = Lanes(Joining(256, 1 << 20))
    lane = lanes.of(POINT)
    assert lanes.of(BATCH) is lane
    assert lanes.of(replace(POINT)) is lane
    assert (lane.kind_of(0), lane.kind_of(8).batched) == (POINT, (True,))
    for other in (
        replace(POINT, digest="g"),
        replace(POINT, arguments=(TensorType(ElementType.F32, (2, 3)),)),
        replace(BATCH, arguments=(*BATCH.arguments, *BATCH.arguments), batched=(True, False)),
    ):
        assert lanes.of(other) is not lane


def test_room() -> None:
    """As many points travel together as the limits let: by number, and by bytes of inputs and results."""
    assert Lanes(Joining(256, 1 << 20)).of(POINT).most == 256
    assert Lanes(Joining(256, 960)).of(POINT).most == 10
    assert Lanes(Joining(0, 960)).of(POINT).most == 0
    shared = replace(BATCH, arguments=(*BATCH.arguments, *BATCH.arguments), batched=(True, False))
    assert Lanes(Joining(256, 960)).of(shared).most == 9
    nothing = replace(POINT, arguments=())
    assert Lanes(Joining(256, 960)).of(nothing).most == 0


def test_forgotten() -> None:
    """Of very many kinds, those that were there first go; one in use stays."""
    lanes = Lanes(Joining(256, 1 << 20))
    used = lanes.of(POINT)
    used.running = 1
    first = lanes.of(replace(POINT, digest="first"))
    for number in range(8200):
        lanes.of(replace(POINT, digest=str(number)))
    assert lanes.of(POINT) is used
    assert lanes.of(replace(POINT, digest="first")) is not first
