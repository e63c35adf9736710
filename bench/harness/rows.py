"""What is measured: rows of entries that take turns, and the bars that they are held against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from workload import BATCH, HEAVY_BATCH, LARGE

Loop = Literal["sequential", "threads", "tasks", "futures"]
CALLERS: Final = 64


@dataclass(frozen=True, slots=True)
class Way:
    """How a contestant is called.

    Attributes:
        name: The way's name in the module of its client.
        loop: The loop that calls it.
        callers: How many callers there are in all processes; for `futures`, how many calls are in flight.
        processes: In how many client processes they are.
        points: How many points a call has.
    """

    name: str
    loop: Loop = "sequential"
    callers: int = 1
    processes: int = 1
    points: int = 1


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a row: a contestant that is called in a way.

    Attributes:
        contestant: Its name.
        way: How it is called.
        label: What the table says of it beside the contestant's own label.
    """

    contestant: str
    way: Way
    label: str = ""

    @property
    def key(self) -> str:
        """What tells it from the others of its row."""
        return f"{self.contestant} {self.label}".strip()


@dataclass(frozen=True, slots=True)
class Bar:
    """What an entry must reach.

    Attributes:
        who: The entry's key.
        against: The key of the one that it is held against.
        limit: The ratio.
        of: Whether it is the most that its time may be, over the other's, or the least that its rate must be.
    """

    who: str
    against: str
    limit: float
    of: Literal["time", "rate"]


@dataclass(frozen=True, slots=True)
class Row:
    """Entries that take turns.

    Attributes:
        key: Its name on the command line.
        title: Its name in the table.
        entries: Who is measured; the first is what ratios are taken over.
        bars: What must be reached.
        seconds: How long a turn lasts.
    """

    key: str
    title: str
    entries: tuple[Entry, ...]
    bars: tuple[Bar, ...]
    seconds: float = 1.0


_ONE = Way("one")
_MANY = Way("one", "threads", CALLERS, 2)
_TASKS = Way("task", "tasks", CALLERS, 2)
_BATCH = Way("batch", points=BATCH)
_LARGE = Way("batch", points=LARGE)
_HEAVY = Way("hessian", points=HEAVY_BATCH)
_PEERS = ("triton", "federated", "umbridge", "tesseract", "philote")


def _ahead(who: str, peers: tuple[str, ...], limit: float = 1.0) -> tuple[Bar, ...]:
    return tuple(Bar(who, peer, limit, "rate") for peer in peers)


ROWS: Final = {
    row.key: row
    for row in (
        Row(
            "one",
            "one point, one call after another",
            (
                Entry("echo", _ONE),
                Entry("pullback", _ONE),
                Entry("pullback", Way("one unix"), "unix"),
                Entry("local", _ONE),
                *(Entry(peer, _ONE) for peer in _PEERS),
            ),
            (
                Bar("pullback", "echo", 1.35, "time"),
                *_ahead("pullback", ("umbridge", "tesseract"), 2.0),
                *_ahead("pullback", ("triton", "federated", "philote")),
            ),
        ),
        Row(
            "callers",
            f"{CALLERS} callers of single points",
            (
                Entry("echo", _MANY),
                Entry("pullback", _MANY),
                Entry("echo", _TASKS, "tasks"),
                Entry("pullback", _TASKS, "tasks"),
                Entry("echo", Way("stream", "tasks", CALLERS), "stream"),
                Entry("pullback", Way("stream", "tasks", CALLERS), "stream, tasks"),
                Entry("pullback", Way("stream futures", "futures", CALLERS), "stream, futures"),
                Entry("pullback", Way("joined threads", "threads", CALLERS), "joined, threads"),
                Entry("pullback", Way("joined tasks", "tasks", CALLERS), "joined, tasks"),
                Entry("pullback", Way("joined threads", "threads", CALLERS, 2), "joined, two processes"),
                Entry("triton", _MANY),
                Entry("triton", _TASKS, "tasks"),
                Entry("federated", _TASKS),
                *(Entry(peer, _MANY) for peer in ("umbridge", "tesseract", "philote")),
            ),
            (
                Bar("pullback", "echo", 0.8, "rate"),
                Bar("pullback tasks", "echo tasks", 0.8, "rate"),
                Bar("pullback stream, tasks", "echo", 1.3, "rate"),
                Bar("pullback stream, futures", "echo", 1.3, "rate"),
                Bar("pullback joined, threads", "echo", 4.0, "rate"),
                Bar("pullback joined, tasks", "echo", 4.0, "rate"),
                *_ahead("pullback joined, threads", ("triton", "triton tasks")),
                *(
                    bar
                    # Each caller with a client of its own; and those of a process with one, as is usual.
                    for who in ("pullback", "pullback joined, two processes")
                    for bar in _ahead(who, ("federated", "umbridge", "tesseract", "philote"), 3.0)
                ),
            ),
            seconds=2.0,
        ),
        Row(
            "batch",
            f"{BATCH:,} points, 640 kB each way",
            (
                Entry("echo", _BATCH),
                Entry("pullback", _BATCH),
                Entry("pullback", Way("batch unix", points=BATCH), "unix"),
                Entry("local", _BATCH),
                *(Entry(peer, _BATCH) for peer in _PEERS),
                *(
                    Entry(peer, Way("batch shared", points=BATCH), "shared memory")
                    for peer in ("triton", "umbridge")
                ),
            ),
            (
                Bar("pullback", "echo", 1.0, "time"),
                *_ahead("pullback", ("umbridge",), 10.0),
                *_ahead("pullback", ("triton", "federated", "tesseract", "philote")),
                *_ahead("pullback unix", ("triton shared memory", "umbridge shared memory")),
            ),
        ),
        Row(
            "thousand",
            "1,000 points, 64 kB each way",
            tuple(Entry(who, Way("batch", points=1_000)) for who in ("echo", "pullback", "triton")),
            _ahead("pullback", ("triton",)),
        ),
        Row(
            "large",
            f"{LARGE:,} points, 32 MB each way",
            (
                Entry("echo", _LARGE),
                Entry("pullback", _LARGE),
                *(Entry(peer, _LARGE) for peer in _PEERS),
            ),
            (Bar("pullback", "echo", 0.3, "time"), *_ahead("pullback", _PEERS)),
            seconds=1.5,
        ),
        Row(
            "shared",
            f"{LARGE:,} points, 32 MB each way, shared memory on one machine",
            (
                Entry("local", Way("batch copied", points=LARGE), "and one copy each way"),
                Entry("local", _LARGE),
                Entry("pullback", Way("batch unix", points=LARGE), "unix"),
                *(
                    Entry(peer, Way("batch shared", points=LARGE), "shared memory")
                    for peer in ("triton", "umbridge")
                ),
            ),
            (
                Bar("pullback unix", "local and one copy each way", 2.0, "time"),
                *_ahead("pullback unix", ("triton shared memory", "umbridge shared memory")),
            ),
        ),
        Row(
            "heavy",
            f"Hessian of n = 200, {HEAVY_BATCH} points",
            (
                Entry("local", _HEAVY),
                Entry("pullback", _HEAVY),
                Entry("triton", _HEAVY),
                Entry("federated", _HEAVY),
            ),
            (Bar("pullback", "local", 1.05, "time"), *_ahead("pullback", ("triton", "federated"))),
        ),
        # The last of all: some versions of Triton end with their stream.
        Row(
            "stream",
            f"{CALLERS} callers of single points, on one stream where they have one",
            (
                Entry("echo", Way("stream", "tasks", CALLERS), "stream"),
                Entry("pullback", Way("joined threads", "threads", CALLERS), "joined, threads"),
                Entry("triton", Way("stream futures", "futures", CALLERS), "stream"),
            ),
            _ahead("pullback joined, threads", ("triton stream",)),
            seconds=2.0,
        ),
    )
}
