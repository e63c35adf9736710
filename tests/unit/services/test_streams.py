"""Many requests of a stream at a time: order, bounds, failures and ends."""

from __future__ import annotations

import asyncio

import pytest

from pullback_server.services.streams import answer_each


class Wire:
    """Numbers that are read one by one, and what is written.

    Args:
        upto: How many numbers there are.
        failure: What reading raises after them, if anything.
    """

    def __init__(self, upto: int, failure: Exception | None = None) -> None:
        self.read_so_far = 0
        self.written: list[int] = []
        self.open = asyncio.Event()
        self.open.set()
        self._upto = upto
        self._failure = failure

    async def read(self) -> int | None:
        """The next number."""
        await asyncio.sleep(0)
        if self.read_so_far == self._upto:
            if self._failure is not None:
                raise self._failure
            return None
        self.read_so_far += 1
        return self.read_so_far - 1

    async def write(self, number: int) -> None:
        """Takes an answer while the wire is open."""
        await self.open.wait()
        self.written.append(number)


async def test_answers_as_they_finish() -> None:
    """The quick overtake the slow, and each is answered once."""

    async def answer(number: int) -> int:
        await asyncio.sleep(0.05 if number == 0 else 0.001 * number)
        return number

    wire = Wire(6)
    await answer_each(wire.read, answer, wire.write, 10)
    assert wire.written == [1, 2, 3, 4, 5, 0]


async def echo(number: int) -> int:
    """Answers at once."""
    return number


async def test_no_requests() -> None:
    """An empty stream has no answers."""
    wire = Wire(0)
    await answer_each(wire.read, echo, wire.write, 3)
    assert wire.written == []


async def test_bounded() -> None:
    """No more than the bound are worked on, and no more are read while answers are not taken."""
    working, most = 0, 0

    async def answer(number: int) -> int:
        nonlocal working, most
        working += 1
        most = max(most, working)
        await asyncio.sleep(0.001)
        working -= 1
        return number

    wire = Wire(50)
    wire.open.clear()
    answering = asyncio.create_task(answer_each(wire.read, answer, wire.write, 3))
    await asyncio.sleep(0.05)
    assert (wire.read_so_far, wire.written) == (4, [])
    wire.open.set()
    await answering
    assert (most, sorted(wire.written)) == (3, list(range(50)))


async def test_broken_input() -> None:
    """Where reading fails, what was read is answered before the failure is told."""

    async def answer(number: int) -> int:
        await asyncio.sleep(0.01)
        return number

    wire = Wire(2, ValueError("torn"))
    with pytest.raises(ValueError, match="torn"):
        await answer_each(wire.read, answer, wire.write, 5)
    assert wire.written == [0, 1]


@pytest.mark.parametrize("upto", [1, 4])
async def test_broken_output(upto: int) -> None:
    """Where writing fails, the rest is cancelled and the failure told."""

    async def write(_: int) -> None:
        raise ValueError("gone")

    async def answer(number: int) -> int:
        await asyncio.sleep(0 if number == 0 else 60)
        return number

    with pytest.raises(ValueError, match="gone"):
        await answer_each(Wire(upto).read, answer, write, 5)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_left_in_the_middle() -> None:
    """A client that goes away has all work cancelled before the call ends."""
    cancelled = 0

    async def answer(number: int) -> int:
        nonlocal cancelled
        try:
            await asyncio.sleep(0 if number == 0 else 60)
        except asyncio.CancelledError:
            cancelled += 1
            raise
        return number

    wire = Wire(4)
    answering = asyncio.create_task(answer_each(wire.read, answer, wire.write, 10))
    await asyncio.sleep(0.01)
    answering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await answering
    assert (wire.written, cancelled) == ([0], 3)
    assert asyncio.all_tasks() == {asyncio.current_task()}
