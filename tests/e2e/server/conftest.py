"""Real servers, ended after the tests that use them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e.server.running import Running, Start, end, formula


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Starts servers, and ends those that a test left running."""
    running: list[Running] = []

    def start(*flags: str, folder: Path | None = None, wait: bool = True) -> Running:
        folder = folder or tmp_path_factory.mktemp("data")
        log = tmp_path_factory.mktemp("log") / "log"
        command = [sys.executable, "-m", "pullback_server", "--devices=cpu:1", "--listen=127.0.0.1:0"]
        command += ["--drain-seconds=0"]
        with log.open("w") as errors:
            process = subprocess.Popen(
                [*command, f"--data-dir={folder}", *flags],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("pullback: listening on "), log.read_text()
        running.append(Running(process, line.split()[-1], folder, log))
        if wait:
            running[-1].until_serving()
        return running[-1]

    yield start
    for each in running:
        end(each)


@pytest.fixture(scope="module")
def server(start: Start) -> Running:
    """A server for a whole module, with functions that its tests share."""
    server = start()
    server.register("square", formula("sum(x**2)", x="f64[3]"))
    server.register("vector", formula("x * 2", x="f64[3]"))
    server.register("two", formula("sum(x) * y", x="f64[2]", y="f64[]"))
    server.register("slow", formula("sum(a @ a @ a @ a)", a="f64[1500,1500]"))
    return server
