"""Who is measured, and how each is started."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from harness.environments import ROOT, environment
from harness.processes import Client, Process

BENCH: Final = ROOT / "bench"
_LOGS: Final = ROOT / ".dev" / "bench"
SOURCES: Final = (BENCH, ROOT / "client" / "python", ROOT / "server")


@dataclass(frozen=True, slots=True)
class Contestant:
    """Somebody who can be asked for gradients.

    Attributes:
        name: What the command line and the rows call it.
        label: What the table calls it.
        client: The module of its client.
        server: The arguments of Python that start its server; none where it has none.
        python: Gives the Python that it runs in, and makes it where it is missing.
        peer: Whether it is another project.
    """

    name: str
    label: str
    client: str
    server: tuple[str, ...]
    python: Callable[[], Path]
    peer: bool = False


def _own() -> Path:
    return Path(sys.executable)


def _peer(name: str, label: str, oldest: tuple[int, int] = (3, 11)) -> Contestant:
    def python() -> Path:
        return environment(BENCH / "peers" / name / "requirements.txt", oldest)

    return Contestant(name, label, f"peers.{name}.client", ("-m", f"peers.{name}.server"), python, peer=True)


CONTESTANTS: Final = {
    contestant.name: contestant
    for contestant in (
        Contestant("echo", "bare gRPC echo", "contestants.echo", ("echo.py",), _own),
        Contestant("local", "local JAX", "contestants.local", (), _own),
        Contestant("pullback", "Pullback", "contestants.served", ("-m", "contestants.serve"), _own),
        _peer("triton", "Triton"),
        _peer("federated", "pytensor-federated", (3, 12)),
        _peer("umbridge", "UM-Bridge"),
        _peer("tesseract", "Tesseract"),
        _peer("philote", "Philote"),
    )
}


@dataclass(frozen=True, slots=True)
class Running:
    """A contestant with its processes.

    Attributes:
        contestant: Who.
        servers: The process of its server, if it has one.
        clients: The processes of its clients.
    """

    contestant: Contestant
    servers: list[Process]
    clients: list[Client] = field(default_factory=list)


def start(contestant: Contestant, clients: int, until: ExitStack) -> Running:
    """Starts the server of a contestant and some clients, which end with the stack.

    Raises:
        EnvironmentMissingError: If it cannot be installed.
        ContestantError: If a process does not start.
    """
    python = str(contestant.python())
    _LOGS.mkdir(parents=True, exist_ok=True)
    sources = SOURCES[:1] if contestant.peer else SOURCES

    def log(what: str) -> Path:
        return _LOGS / f"{contestant.name}-{what}.log"

    servers, address = [], ""
    if contestant.server:
        command = [python, *contestant.server]
        servers = [until.enter_context(Process(command, BENCH, log("server"), sources))]
        address = servers[0].hear()
    running = Running(contestant, servers)
    for number in range(clients):
        command = [python, "-m", "driving", contestant.client, address]
        running.clients.append(until.enter_context(Client(command, BENCH, log(f"client{number}"), sources)))
    for client in running.clients:
        client.answer()
    return running
