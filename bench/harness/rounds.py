"""Has rows measured in interleaved rounds."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Final

from harness.contestants import CONTESTANTS, Running, start
from harness.environments import EnvironmentMissingError
from harness.processes import ContestantError
from harness.rows import Entry, Row, Way

CANNOT: Final = "cannot"
_CLIENTS: Final = 2
_SLOW_SECONDS: Final = 4.0
_TURN_SECONDS: Final = 120.0

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn of an entry showed.

    Attributes:
        seconds: The time of a call: its median where one follows another, and else that of all by their
            number.
        client_cpu: The CPU seconds of all client processes, a call.
        server_cpu: The CPU seconds of the server's processes, a call.
    """

    seconds: float
    client_cpu: float
    server_cpu: float


@dataclass(slots=True)
class Measured:
    """What the rounds showed of an entry.

    Attributes:
        turns: The turn of each round; None where there was none.
        failure: Why there are no turns, or no more; CANNOT where it was not asked, or has no way to do it.
    """

    turns: list[Turn | None] = field(default_factory=list)
    failure: str = ""

    def median(self, of: Callable[[Turn], float]) -> float | None:
        """The median over the rounds, if there are any."""
        taken = [of(turn) for turn in self.turns if turn is not None]
        return statistics.median(taken) if taken else None

    def ratio(self, other: Measured) -> float | None:
        """The median of its time over another's, each within a round."""
        pairs = zip(self.turns, other.turns, strict=False)
        ratios = [mine.seconds / its.seconds for mine, its in pairs if mine and its]
        return statistics.median(ratios) if ratios else None


class Field:
    """The contestants that run, and why others do not.

    Args:
        names: Whom to start.
        until: What they end with.
        report: Told what happens.
    """

    def __init__(self, names: Iterable[str], until: ExitStack, report: Report) -> None:
        self._running: dict[str, Running] = {}
        self.absent: dict[str, str] = {}
        for name in names:
            report(f"starting {name}")
            try:
                self._running[name] = start(CONTESTANTS[name], _CLIENTS, until)
            except (ContestantError, EnvironmentMissingError) as error:
                report(f"{name} is left out: {error}")
                self.absent[name] = str(error)

    @property
    def names(self) -> Sequence[str]:
        """Who runs."""
        return list(self._running)

    def turn(self, contestant: str, way: Way, seconds: float) -> Turn:
        """Measures a way of a contestant once.

        Raises:
            ContestantError: If it cannot be called so, is absent, fails, or gives a wrong answer.
        """
        if contestant in self.absent or contestant not in self._running:
            raise ContestantError(self.absent.get(contestant, CANNOT))
        running = self._running[contestant]
        task = {
            "way": way.name,
            "loop": way.loop,
            "callers": -(-way.callers // way.processes),
            "points": way.points,
            "seconds": seconds,
            "servers": [server.pid for server in running.servers],
        }
        try:
            if any(CANNOT in answer for answer in _ask(running, {**task, "step": "prepare"}, way)):
                raise ContestantError(CANNOT)
            return _summed(_ask(running, {**task, "step": "measure"}, way), way)
        except ContestantLostError as error:
            self.absent[contestant] = str(error)
            raise


class ContestantLostError(ContestantError):
    """A contestant's client ended, or does not answer any more."""


def _ask(running: Running, task: Mapping[str, Any], way: Way) -> list[dict[str, Any]]:
    clients = running.clients[: way.processes]
    try:
        for client in clients:
            client.ask(task)
        answers = [client.answer(_TURN_SECONDS) for client in clients]
    except ContestantError as error:
        raise ContestantLostError(str(error)) from error
    for answer in answers:
        if "error" in answer:
            raise ContestantError(answer["error"])
    return answers


def _summed(answers: Sequence[Mapping[str, Any]], way: Way) -> Turn:
    calls = sum(answer["calls"] for answer in answers)
    overall = max(answer["seconds"] for answer in answers) / calls
    return Turn(
        seconds=answers[0]["median"] if way.loop == "sequential" else overall,
        client_cpu=sum(answer["client_cpu"] for answer in answers) / calls,
        # Each client has seen the same server.
        server_cpu=statistics.fmean(answer["server_cpu"] for answer in answers) / calls,
    )


def measure(
    field: Field, rows: Sequence[Row], rounds: int, shorten: float, report: Report
) -> dict[str, dict[str, Measured]]:
    """Measures rows, each entry once a round, one after another.

    Args:
        field: Who runs.
        rows: What to measure.
        rounds: How often.
        shorten: What the seconds of each turn are multiplied by.
        report: Told how far it is.

    Returns:
        What was measured, by the keys of row and entry.
    """
    measured = {row.key: {entry.key: Measured() for entry in row.entries} for row in rows}
    for number in range(rounds):
        for row in rows:
            report(f"round {number + 1} of {rounds}: {row.title}")
            for entry in row.entries:
                _take(field, entry, row.seconds * shorten, measured[row.key][entry.key])
    return measured


def _take(field: Field, entry: Entry, seconds: float, into: Measured) -> None:
    """Gives an entry its turn; one that failed, or that takes very long, has no more."""
    slow = bool(into.turns and into.turns[0] and into.turns[0].seconds > _SLOW_SECONDS)
    if into.failure or slow:
        into.turns.append(None)
        return
    try:
        into.turns.append(field.turn(entry.contestant, entry.way, seconds))
    except ContestantError as error:
        into.turns.append(None)
        into.failure = str(error)
