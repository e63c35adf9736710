"""What a run of fuzzing found."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from fuzz.answers import Answer
from fuzz.innocent import Innocent
from fuzz.watching import Watch


@dataclass(frozen=True, slots=True)
class Found:
    """A case that was not answered as it should be.

    Attributes:
        path: The method that was called.
        messages: The bytes that were sent.
        fault: What was wrong.
        number: The case's number.
    """

    path: str
    messages: tuple[bytes, ...]
    fault: str
    number: int


@dataclass
class Report:
    """Counts of a run.

    Attributes:
        of: What was mutated.
        seed: The seed.
        answers: How often each answer came.
        numbers: Those of the cases that were sent; a case may be several calls.
        found: What was not answered as it should be.
        lethal: The numbers of cases that cost a worker, which is no fault.
        faults: What else was wrong.
        lines: What is told at the end.
    """

    of: str
    seed: int
    answers: Counter[str] = field(default_factory=Counter)
    numbers: set[int] = field(default_factory=set)
    found: list[Found] = field(default_factory=list)
    lethal: list[int] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def add(self, number: int, answer: Answer) -> None:
        """Counts an answer."""
        self.numbers.add(number)
        self.answers[answer.name] += 1

    @property
    def cases(self) -> int:
        """How many cases were sent."""
        return len(self.numbers)

    def line(self, seconds: float) -> str:
        """How far the run is."""
        common = ", ".join(f"{name} {count}" for name, count in self.answers.most_common(4))
        rate = self.cases / max(seconds, 1e-9)
        return f"{self.of}: {self.cases} cases, {rate:.0f}/s, {len(self.found)} found; {common}"

    def finish(self, seconds: float, innocent: Innocent, watch: Watch) -> None:
        """Takes in what was seen beside the cases."""
        self.faults += [*innocent.faults, *watch.faults]
        sizes = [size / 2**20 for size in watch.sizes] or [0.0]
        self.lines = [
            f"{self.cases} mutated {self.of} with seed {self.seed}: {self.cases / max(seconds, 1e-9):.0f}/s",
            *(f"  {count:8} {name}" for name, count in self.answers.most_common()),
            f"  innocent: {innocent.answers} answers, the slowest in {innocent.longest:.2f} s",
            f"  front: {sizes[0]:.0f} MiB at first, {sizes[-1]:.0f} at last, {max(sizes):.0f} at most",
        ]

    @property
    def sound(self) -> bool:
        """Whether nothing was wrong."""
        return not (self.found or self.faults)

    def __str__(self) -> str:
        wrong = [f"  WRONG: case {each.number} of {each.path}: {each.fault}" for each in self.found]
        return "\n".join([*self.lines, *wrong, *(f"  WRONG: {fault}" for fault in self.faults)])
