"""One run: a server, clients at work, one fault after another, and what came of it."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

import pullback
from chaos import leaks, report
from chaos.agreement import disagreements
from chaos.crowd import Crowd
from chaos.faults import FAULTS, RESTARTS, Harm
from chaos.functions import TYPES, sources
from chaos.means import Means
from chaos.serving import MARK, Server
from chaos.tenants import Tenant, tenants, write
from chaos.watching import Watch

TENANTS: Final = 4
# When the front is restarted, as shares of the run; in between it has a long life.
_RESTARTS: Final = (0.1, 0.9)
_WARM_SECONDS: Final = 3.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run is to be.

    Attributes:
        seconds: For how long there are faults.
        every: Seconds from fault to fault.
        clients: How many clients there are, of all tenants.
        pause: Seconds between a client's calls, on average.
        seed: What is left to chance follows from it.
        faults: Which faults; each comes once before any comes again.
    """

    seconds: float
    every: float
    clients: int
    pause: float
    seed: int
    faults: tuple[str, ...]


@dataclass
class Outcome:
    """What came of a run.

    Attributes:
        lines: What there is to tell.
        violations: What should not have been.
    """

    lines: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)


def run(plan: Plan, folder: Path) -> Outcome:
    """Runs, in a folder of its own."""
    known = tenants(TENANTS)
    if wrong := disagreements([tenant.factor for tenant in known]):
        return Outcome(violations=wrong)
    with ExitStack() as stack:
        means = Means()
        (folder / "data").mkdir()
        if "disk-full" in plan.faults:
            means.get_disk(folder / "data", stack)
        if "clock-step" in plan.faults:
            means.get_clock(folder / "clock")
        return _Run(plan, folder, known, means).outcome()


class _Run:
    def __init__(self, plan: Plan, folder: Path, known: list[Tenant], means: Means) -> None:
        self._plan = plan
        self._tenants = known
        self._means = means
        self._mark = uuid.uuid4().hex
        self._variables = {**os.environ, MARK: self._mark}
        self._chance = Random(plan.seed)  # noqa: S311 -- nothing secret
        self._began: list[tuple[float, str]] = []
        tokens = folder / "tenants.toml"
        write(tokens, known)
        self._server = Server(folder, tokens, self._mark, means.variables)
        chance, clients = self._chance, self._variables
        self._harm = Harm(self._server, known[-1], chance, clients, means.disk, means.clock)

    def outcome(self) -> Outcome:
        """Everything in its order."""
        segments = leaks.shared_segments()
        server = self._server
        server.start()
        try:
            for tenant in self._tenants:
                _register(server.address, tenant)
            watch = Watch(server)
            crowd = self._crowd()
            try:
                watch.start()
                time.sleep(_WARM_SECONDS)
                self._do_harm()
            finally:
                crowd.stop()
                watch.stop()
            leaked = leaks.open_in_the_end(server)
            forgotten = [fault for tenant in self._tenants for fault in _forgotten(server.address, tenant)]
        finally:
            server.stop()
        wrong = report.wrong(crowd.events, server.pauses)
        seen = [*wrong, *crowd.faults, *watch.faults, *watch.verdict(), *self._harm.faults]
        left = [*server.faults, *leaked, *forgotten, *leaks.left_behind(server, self._mark, segments)]
        lines = [*self._told(), *report.table(crowd.events, self._began), *watch.lines()]
        return Outcome(lines + ([server.log_end()] if seen or left else []), seen + left)

    def _crowd(self) -> Crowd:
        plan, server = self._plan, self._server
        addresses = [server.address, server.socket]
        each = plan.clients // len(self._tenants)
        return Crowd(addresses, self._tenants, each, plan.pause, plan.seed, self._variables)

    def _do_harm(self) -> None:
        """One fault after another until the time is over, each at least once, whatever is still going on."""
        ending = time.monotonic() + self._plan.seconds
        missing = {*self._plan.faults, *RESTARTS} - self._means.left_out.keys()
        running: Future[None] | None = None
        with ThreadPoolExecutor() as threads:
            for name in self._names():
                if time.monotonic() >= ending and not missing:
                    break
                missing.discard(name)
                if name in RESTARTS and running is not None:
                    running.result()  # a front that stops waits for it, longer than clients try
                next_begins = time.monotonic() + self._plan.every
                self._began.append((time.monotonic(), name))
                running = threads.submit(self._one, name)
                if name in RESTARTS:
                    running.result()
                time.sleep(max(0.0, next_begins - time.monotonic()))
        if self._means.clock is not None:
            self._means.clock.set(0)

    def _names(self) -> Iterator[str]:
        """What goes wrong next, without end: rounds of all faults, and restarts when their time has come."""
        began = time.monotonic()
        restarts = [
            (began + share * self._plan.seconds, name)
            for share, name in zip(_RESTARTS, RESTARTS, strict=True)
        ]
        names = [name for name in self._plan.faults if name not in self._means.left_out]
        while True:
            for name in self._chance.sample(names, len(names)):
                while restarts and time.monotonic() >= restarts[0][0]:
                    yield restarts.pop(0)[1]
                yield name

    def _one(self, name: str) -> None:
        try:
            {**FAULTS, **RESTARTS}[name](self._harm)
        except Exception as error:  # noqa: BLE001 -- whatever it is, it is told, and the run goes on
            self._harm.faults.append(f"{name} cannot be done: {type(error).__name__}: {error}")

    def _told(self) -> list[str]:
        plan = self._plan
        return [
            *(f"left out: {name}, since {why}" for name, why in self._means.left_out.items()),
            f"seed {plan.seed}, {plan.clients} clients of {TENANTS} tenants, {len(self._began)} faults",
            *self._harm.told(),
            *(f"the front was away for {end - begin:.1f} s" for begin, end in self._server.pauses),
        ]


def _register(address: str, tenant: Tenant) -> None:
    with pullback.connect(address, token=tenant.token) as client:
        for name, text in sources(tenant.factor).items():
            client.register(pullback.Formula(text, **TYPES[name]), name=name)


def _forgotten(address: str, tenant: Tenant) -> list[str]:
    """What a tenant has registered in the end that it should not have, or has not that it should."""
    with pullback.connect(address, token=tenant.token) as client:
        names = {function.name for function in client.functions()}
    wrong = names ^ set(TYPES)
    return [f"{tenant.name} has {sorted(names)} in the end, not {sorted(TYPES)}"] if wrong else []
