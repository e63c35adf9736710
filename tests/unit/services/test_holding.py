"""What streams and unary calls have in hand of the budgets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from pullback.codec.evaluation import Request
from pullback.codec.tensors import Tensor
from pullback_server.errors import PressureError
from pullback_server.services.budget import SMALL, budgets
from pullback_server.services.holding import StreamHold, at_the_end, request_bytes, room_until_the_end

LIMIT = 64 * SMALL


def request(nbytes: int) -> Request:
    """A request with one tensor of so many bytes."""
    return Request(b"", (Tensor(7, (nbytes,), bytes(nbytes)),), (), (), None)


def test_size() -> None:
    """All tensors of a request count, the empty too."""
    tensors = (Tensor(7, (3,), b"abc"), Tensor(7, (0,)))
    assert request_bytes(Request(b"head", tensors, (tensors[0],), (tensors[0],), None)) == 9


async def test_requests_are_read_while_there_is_room() -> None:
    """A stream may have a sixteenth of the budget; answers that were written make room for more."""
    both = budgets(2 * LIMIT)
    hold = StreamHold(both)
    first = await hold.admit(request(2 * SMALL))
    await hold.admit(request(2 * SMALL))
    waiting = asyncio.create_task(hold.admit(request(2 * SMALL)))
    await asyncio.sleep(0.01)
    assert (waiting.done(), both.requests.used) == (False, 4 * SMALL)
    hold.sent(first)
    await asyncio.wait_for(waiting, 5)
    hold.close()
    assert both.requests.used == 0


async def test_one_is_read_however_large() -> None:
    """What is larger than a stream's share but not than the budget is read alone."""
    both = budgets(2 * LIMIT)
    hold = StreamHold(both)
    await asyncio.wait_for(hold.admit(request(LIMIT)), 5)
    assert both.requests.used == LIMIT
    hold.close()


async def test_a_request_that_never_fits() -> None:
    """It is refused by itself: the stream goes on."""
    hold = StreamHold(budgets(2 * LIMIT))
    refused = await hold.admit(request(LIMIT + 1))
    hold.require(await hold.admit(request(2 * SMALL)))
    with pytest.raises(PressureError, match=f"{LIMIT + 1} bytes"):
        hold.require(refused)
    hold.sent(refused)
    hold.require(refused)
    hold.close()


async def test_what_never_fits() -> None:
    """It is refused with both numbers, and holds nothing."""
    both = budgets(4 * LIMIT)
    hold = StreamHold(both)
    with pytest.raises(PressureError, match=f"{LIMIT + 1} bytes"):
        await hold.room(1, LIMIT + 1)
    await hold.room(2, LIMIT)
    hold.close()
    assert both.results.used == 0


async def test_small_ones_do_not_count() -> None:
    """They are bounded by their number."""
    both = budgets(4 * LIMIT)
    hold = StreamHold(both)
    for nbytes in (SMALL, 0):
        await hold.admit(request(nbytes))
    await hold.room(1, SMALL)
    assert (both.requests.used, both.results.used) == (0, 0)


async def test_unary_calls_give_back_when_they_end() -> None:
    """Not when they have been answered."""
    both = budgets(4 * LIMIT)
    ends = list[Callable[[object], None]]()
    at_the_end.set(ends.append)
    await room_until_the_end(both)(2 * SMALL)
    assert both.results.used == 2 * SMALL
    (end,) = ends
    end(None)
    assert both.results.used == 0
