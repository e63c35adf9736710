"""How much memory there may be, and where tensors lie in it."""

from __future__ import annotations

import contextvars
import gc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sharing_memory import Make, open_descriptors, sealed

from pullback_server.errors import Reason, ServiceError
from pullback_server.model.memory import Segment
from pullback_server.sharing.descriptors import RefusedError
from pullback_server.sharing.segments import Bounds, Segments
from pullback_server.tenants.callers import Caller, Role, caller

pytestmark = pytest.mark.usefixtures("small_heap")


class Workers:
    """Which segments the engine has."""

    def __init__(self) -> None:
        self.attached: list[int] = []

    def attach(self, segment: Segment) -> None:
        """Takes one."""
        self.attached.append(segment.number)

    def detach(self, segment: Segment) -> None:
        """Gives one up."""
        self.attached.remove(segment.number)


def make(bounds: Bounds | None = None) -> tuple[Segments, Workers]:
    """A table of segments, and what the engine has of them."""
    workers = Workers()
    return Segments(bounds or Bounds(1 << 20, 1 << 21), workers.attach, workers.detach), workers


def test_life(memfd: Make) -> None:
    """A segment comes to the engine under its number, and goes; then nothing of it is left."""
    before = open_descriptors()
    segments, workers = make()
    first, second = (segments.add(memfd(size), size, 10) for size in (4096, 8192))
    assert workers.attached == [first.number, second.number]
    assert first.number != second.number
    assert all(0 < segment.number < 1 << 63 for segment in (first, second))
    assert (len(segments), segments.nbytes) == (2, 12288)
    segments.drop(first)
    segments.drop(second)
    assert (workers.attached, len(segments), segments.nbytes) == ([], 0, 0)
    del first, second
    gc.collect()
    assert open_descriptors() == before


def test_a_segment_is_one_tenant_s(memfd: Make) -> None:
    """Who uses it first alone can; for others it is not there, whatever they know of it."""
    segments, _ = make()
    segment = segments.add(memfd(4096), 4096, 10)

    def place(tenant: str) -> None:
        context = contextvars.copy_context()
        context.run(caller.set, Caller(tenant, "ann", Role.EVALUATE))
        context.run(segments.place, segment.number, 0, 8)

    place("acme")
    with pytest.raises(ServiceError) as caught:
        place("zeta")
    assert caught.value.reason is Reason.SEGMENT_NOT_FOUND
    place("acme")
    segments.drop(segment)
    with pytest.raises(ServiceError):
        place("acme")


def test_a_place_outlives_its_segment(memfd: Make) -> None:
    """What is in use when a segment goes stays mapped until it is not."""
    segments, _ = make()
    segment = segments.add(memfd(4096), 4096, 10)
    place = segments.place(segment.number, 64, 8)
    segments.drop(segment)
    del segment
    gc.collect()
    place.view[:] = b"abcdefgh"
    assert bytes(place.view) == b"abcdefgh"
    with pytest.raises(ServiceError) as caught:
        segments.place(place.segment.number, 64, 8)
    assert caught.value.reason is Reason.SEGMENT_NOT_FOUND


@pytest.mark.parametrize(
    ("bounds", "setting"),
    [
        (Bounds(8192, 1 << 20), "max_client_memory_bytes"),
        (Bounds(1 << 20, 8192), "max_shared_memory_bytes"),
        (Bounds(1 << 20, 1 << 20, 1), "1 segments"),
    ],
)
def test_bounds(memfd: Make, bounds: Bounds, setting: str) -> None:
    """What goes beyond a bound is refused with its name, and closed; what goes makes room."""
    segments, workers = make(bounds)
    first = segments.add(memfd(8192), 8192, 10)
    before = open_descriptors()
    with pytest.raises(RefusedError, match=setting):
        segments.add(memfd(4096), 4096, 10)
    assert (open_descriptors(), workers.attached) == (before, [first.number])
    segments.drop(first)
    assert segments.add(memfd(4096), 4096, 10).memory.nbytes == 4096


def test_the_bound_of_a_client_is_its_own(memfd: Make) -> None:
    """Another process has room where one has none."""
    segments, _ = make(Bounds(4096, 1 << 20))
    segments.add(memfd(4096), 4096, 10)
    assert segments.add(memfd(4096), 4096, 11).memory.nbytes == 4096


@given(
    st.integers(0, 1 << 64) | st.integers(0, 5).map(lambda each: each * 64),
    st.integers(0, 1 << 64) | st.integers(0, 200),
)
def test_places(offset: int, length: int) -> None:
    """A place is given exactly where it is aligned and inside."""
    segments, _ = make()
    number = segments.add(sealed(192), 192, 10).number
    if offset % 64 == 0 and offset + length <= 192:
        place = segments.place(number, offset, length)
        assert (place.offset, place.nbytes, len(place.view)) == (offset, length, length)
        return
    with pytest.raises(ServiceError) as caught:
        segments.place(number, offset, length)
    assert caught.value.reason is Reason.MALFORMED_REQUEST
    assert caught.value.metadata == {"offset": str(offset), "length": str(length), "size": "192"}
