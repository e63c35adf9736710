"""Fuzzes messages: mutated bytes to every method of a server, many at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Final

from e2e.server.running import Running
from fuzz.answers import Answer
from fuzz.calling import Caller, Metadata
from fuzz.chance import dice
from fuzz.innocent import Innocent
from fuzz.mutations import octets, wire
from fuzz.report import Found, Report
from fuzz.seeds.messages import PROGRAMS, Case, register_all, seeds
from fuzz.watching import Watch

from pullback.v1 import functions_pb2

FLAGS: Final = ("--max-derivative-order=2", "--max-batch=64", "--max-message-bytes=1MiB")
_AT_ONCE: Final = 48
_SECONDS: Final = 60.0
_ROUND: Final = 1000
_STREAMS: Final = 8
# Each registers and compiles, in a worker: programs have a run of their own.
_HEAVY: Final = ("RegisterFunction", "Compile", "GetGraph")
_HEAVY_SHARE: Final = 0.08


class Messages:
    """Mutated messages by their numbers.

    Args:
        seed: The seed.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        cases = seeds()
        self._heavy = [case for case in cases if case.path.endswith(_HEAVY)]
        self._light = [case for case in cases if not case.path.endswith(_HEAVY)]
        self._pieces = [message for case in cases for message in case.messages]

    def case(self, number: int) -> Case:
        """The case of a number."""
        chance = dice(self._seed, number)
        seed = chance.choice(self._heavy if chance.random() < _HEAVY_SHARE else self._light)
        messages = [self._mutated(message, chance) for message in seed.messages]
        if len(messages) > 1:
            messages = _restreamed(messages, chance)
        return Case(seed.path, tuple(messages))

    def _mutated(self, message: bytes, chance: Random) -> bytes:
        if chance.random() < 0.1:
            return message
        if chance.random() < 0.05:
            message = chance.choice(self._pieces)
        mutate = wire.mutated if chance.random() < 0.7 else octets.mutated
        for _ in range(1 + int(chance.expovariate(1.2))):
            message = mutate(message, chance, self._pieces)
        return message


def _restreamed(messages: list[bytes], chance: Random) -> list[bytes]:
    """Messages of a stream doubled, left out, in another order, or none."""
    kind = chance.randrange(6)
    if kind == 0:
        chance.shuffle(messages)
    if kind == 1:
        messages = [chance.choice(messages) for _ in range(chance.randint(0, _STREAMS))]
    return messages


Shown = Callable[[int], Metadata]
"""What the caller of a case shows, by its number."""


def fuzz_messages(
    server: Running,
    seed: int,
    numbers: Sequence[int],
    tell: Callable[[str], None],
    shown: Shown = lambda _: (),
    token: str | None = None,
) -> Report:
    """Sends the cases of these numbers to a server, and reports; the innocent client shows the token."""
    report = Report("messages", seed)
    watch = Watch(server)
    began = time.monotonic()
    messages = Messages(seed)
    register_all(server)
    with Innocent(server.address, _SECONDS, token) as innocent:
        for start in range(0, len(numbers), _ROUND):
            some = numbers[start : start + _ROUND]
            cases = ((number, messages.case(number)) for number in some)
            asyncio.run(_send(server.address, cases, report, shown))
            register_all(server)
            watch.look()
            if server.process.poll() is not None:
                break
            tell(report.line(time.monotonic() - began))
    watch.finish()
    report.finish(time.monotonic() - began, innocent, watch)
    return report


async def _send(address: str, cases: Iterator[tuple[int, Case]], report: Report, shown: Shown) -> None:
    async with Caller(address, _SECONDS) as caller:

        async def work() -> None:
            for number, case in cases:
                metadata = shown(number)
                answer = await caller.call(case, metadata)
                report.add(number, answer)
                if answer.fault:
                    report.found.append(Found(case.path, case.messages, answer.fault, number))
                await _tidy(caller, case, answer, metadata)

        await asyncio.gather(*(work() for _ in range(_AT_ONCE)))


async def _tidy(caller: Caller, case: Case, answer: Answer, metadata: Metadata) -> None:
    """Deletes what was registered, so that what the server keeps does not grow with the cases."""
    if case.path.endswith("RegisterFunction") and answer.messages:
        made = functions_pb2.RegisterFunctionResponse.FromString(answer.messages[0]).function.name
        if made.removeprefix("functions/") not in PROGRAMS:
            request = functions_pb2.DeleteFunctionRequest(name=made).SerializeToString()
            await caller.call(Case("/pullback.v1.FunctionService/DeleteFunction", (request,)), metadata)
