"""One tenant's single points beside another's flood: `python bench/sharing.py [--record]`.

A client calls single points of a small function one after another; another tenant's floods the same server
with batches, many at a time. Each is a process of its own. They have turns, without and with the flood, and
what it adds to the 99th percentile of the points is the figure. The bar is twice the time of one tile: the
mean of what a worker took for the runs of the flood, at the same time. Each start of a server is a row.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from subprocess import PIPE
from typing import Any, Final

import numpy as np

import pullback
from harness.machine import load, machine

RESULTS: Final = Path(__file__).with_name("RESULTS.md")
PERCENTILES: Final = (50.0, 90.0, 99.0)
BAR_TILES: Final = 2.0
SIZE: Final = 48
# Until tiles are compiled, which is done in the background; and until a flood is there.
SETTLING_SECONDS: Final = 3.0
BEFORE_SECONDS: Final = 0.3

Client = subprocess.Popen[str]


@dataclass(slots=True)
class Turns:
    """What the turns on one server gave.

    Attributes:
        alone: The seconds of each point without the flood.
        beside: Those with it.
        tiles: How many runs the flood had.
        tile_seconds: What workers took for them.
    """

    alone: list[float] = field(default_factory=list)
    beside: list[float] = field(default_factory=list)
    tiles: float = 0.0
    tile_seconds: float = 0.0

    @property
    def tile(self) -> float:
        """The time of one tile, in seconds."""
        return self.tile_seconds / self.tiles

    @property
    def rise(self) -> float:
        """What the flood adds to the 99th percentile, in seconds."""
        return float(np.percentile(self.beside, 99) - np.percentile(self.alone, 99))


def main() -> None:
    """Measures, prints a table, and appends it to RESULTS.md with --record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=6, help="how many servers are started")
    parser.add_argument("--rounds", type=int, default=4, help="how many turns each has")
    parser.add_argument("--seconds", type=float, default=3.0, help="how long a turn lasts")
    parser.add_argument("--at-once", type=int, default=16, help="how many batches are in flight")
    parser.add_argument("--points", type=int, default=128, help="how many points a batch has, of 1 ms or so")
    parser.add_argument("--devices", default="cpu:1", help="what the server computes on")
    parser.add_argument("--niceness", type=int, default=0, help="of the flood's client, on the same cores")
    parser.add_argument("--record", action="store_true", help="append the table to bench/RESULTS.md")
    parser.add_argument("--be", nargs=2, metavar=("WHO", "ADDRESS"), help="be one of the clients")
    options = parser.parse_args()
    if options.be:
        be(*options.be, options)
        return
    starts = [_start(options, number) for number in range(options.starts)]
    report = _table(starts, options)
    print(report)
    if options.record:
        with RESULTS.open("a") as file:
            file.write(f"\n{report}\n")


def be(who: str, address: str, options: argparse.Namespace) -> None:
    """A tenant's client: for each line with a number of seconds calls so long, then says what calls took."""
    with pullback.connect(address, token=_token(who), join=False) as client:
        if who == "flood":
            os.nice(options.niceness)
            call, at_once = _batches(client, options.points), options.at_once
        else:
            call, at_once = _single_points(client), 1
        call()
        print("ready", flush=True)
        with ThreadPoolExecutor(at_once) as threads:
            for line in sys.stdin:
                end = time.monotonic() + float(line)
                taken = threads.map(_until, [end] * at_once, [call] * at_once)
                print(json.dumps(list(chain.from_iterable(taken))), flush=True)


def _until(end: float, call: Callable[[], object]) -> list[float]:
    """Calls again and again; gives the seconds of each call."""
    taken = []
    while (began := time.monotonic()) < end:
        call()
        taken.append(time.monotonic() - began)
    return taken


def _single_points(client: pullback.Client) -> Callable[[], object]:
    function = client.register(pullback.Formula("sum(x**2)", x="f64[3]"), name="little")
    point = np.array([1.0, 2.0, 3.0])
    return lambda: function(point)


def _batches(client: pullback.Client, points: int) -> Callable[[], object]:
    # The other processes do without JAX.
    import jax.numpy as jnp  # noqa: PLC0415

    def work(x: Any) -> Any:
        a = jnp.outer(x, x) / SIZE
        for _ in range(10):
            a = jnp.sin(a @ a) + 0.1
        return jnp.sum(a)

    function = client.register(work, np.zeros(SIZE), name="work")
    batch = np.tile(np.linspace(0.0, 1.0, SIZE), (points, 1))
    return lambda: function(batch)


def _start(options: argparse.Namespace, number: int) -> Turns:
    """The turns on a server that is started for them."""
    turns = Turns()
    with (
        _server(options.devices) as (address, page),
        _client("calm", address, options) as calm,
        _client("flood", address, options) as flood,
    ):
        _told(flood, SETTLING_SECONDS)()
        for _ in range(options.rounds):
            turns.alone += _told(calm, options.seconds)()
            runs, seconds = _figures(page)
            flooding = _told(flood, options.seconds + BEFORE_SECONDS)
            time.sleep(BEFORE_SECONDS)
            beside = _told(calm, options.seconds)()
            flooding()
            now = _figures(page)
            turns.beside += beside
            turns.tiles += now[0] - runs - len(beside)
            turns.tile_seconds += now[1] - seconds
    print(_row(number, turns), file=sys.stderr, flush=True)
    return turns


@contextmanager
def _server(devices: str) -> Iterator[tuple[str, str]]:
    """A server that knows both tenants, until the block ends: its address, and that of its figures."""
    with (
        tempfile.TemporaryDirectory(prefix="pullback-bench-") as folder,
        socket.create_server(("", 0)) as free,
    ):
        port = free.getsockname()[1]
        free.close()
        tenants = Path(folder) / "tenants.toml"
        tenants.write_text("".join(map(_tenant, ("calm", "flood"))))
        command = [sys.executable, "-m", "pullback_server", "--listen=127.0.0.1:0", "--log-level=error"]
        command += [f"--devices={devices}", f"--data-dir={folder}/data", f"--tenants-file={tenants}"]
        command += [f"--metrics-listen=127.0.0.1:{port}"]
        with subprocess.Popen(command, stdout=PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                yield process.stdout.readline().split()[-1], f"http://127.0.0.1:{port}/metrics"
            finally:
                process.terminate()


def _tenant(name: str) -> str:
    digest = hashlib.sha256(_token(name).encode()).hexdigest()
    token = f'name = "bench"\nsha256 = "{digest}"\nrole = "administer"'
    return f"[tenants.{name}]\n[[tenants.{name}.tokens]]\n{token}\n"


def _token(name: str) -> str:
    return f"a token for nothing but the bench: {name}".replace(" ", "-").replace(":", "")


@contextmanager
def _client(who: str, address: str, options: argparse.Namespace) -> Iterator[Client]:
    """The process of a client, until the block ends."""
    arguments = [f"--at-once={options.at_once}", f"--points={options.points}"]
    arguments += [f"--niceness={options.niceness}", "--be", who, address]
    with subprocess.Popen(
        [sys.executable, __file__, *arguments], stdin=PIPE, stdout=PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.stdin.close()


def _told(client: Client, seconds: float) -> Callable[[], list[float]]:
    """Has a client call for so long; what is returned waits for its end, and gives what its calls took."""
    assert client.stdin is not None
    assert client.stdout is not None
    print(seconds, file=client.stdin, flush=True)
    answer = client.stdout
    return lambda: list(json.loads(answer.readline()))


def _figures(page: str) -> tuple[float, float]:
    """The runs of all workers, and the seconds that they worked for the flood."""
    with urllib.request.urlopen(page, timeout=10) as response:  # noqa: S310 -- it is http
        lines = response.read().decode().splitlines()

    def total(start: str) -> float:
        return sum(float(line.split()[-1]) for line in lines if line.startswith(start))

    return total("pullback_worker_runs_total{"), total('pullback_tenant_device_seconds_total{tenant="flood"}')


def _table(starts: Sequence[Turns], options: argparse.Namespace) -> str:
    met = sum(turns.rise <= BAR_TILES * turns.tile for turns in starts)
    lines = [
        f"## {datetime.now(UTC):%Y-%m-%d}: one tenant's single points beside another's flood",
        "",
        f"{machine()}, {load()}; `bench/sharing.py`, devices {options.devices};",
        f"{options.at_once} batches of {options.points} points in flight, of a function that takes about a",
        f"millisecond; {options.rounds} turns of {options.seconds:g} s for each start of a server;",
        f"the flood's client has niceness {options.niceness}.",
        "",
        "| start | alone: median | 90% | 99% | beside: median | 90% | 99% | rise | a tile | in tiles |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        *(_row(number, turns) for number, turns in enumerate(starts)),
        "",
        f"The bar, {BAR_TILES:g} tiles, is met on {met} of {len(starts)} starts.",
    ]
    return "\n".join(lines)


def _row(number: int, turns: Turns) -> str:
    percentiles = [*np.percentile(turns.alone, PERCENTILES), *np.percentile(turns.beside, PERCENTILES)]
    cells = [f"{1e3 * seconds:.2f} ms" for seconds in (*percentiles, turns.rise, turns.tile)]
    return f"| {number + 1} | {' | '.join(cells)} | {turns.rise / turns.tile:.2f} |"


if __name__ == "__main__":
    main()
