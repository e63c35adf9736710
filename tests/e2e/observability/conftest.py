"""A server that shows what it does, with one worker."""

from __future__ import annotations

import json
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import pytest
from e2e.server.conftest import start  # noqa: F401 -- a fixture
from e2e.server.running import Running, Start, formula
from prometheus_client.parser import text_string_to_metric_families


@dataclass(frozen=True)
class Watched:
    """A server, and where it shows its metrics."""

    server: Running
    url: str

    def page(self, path: str) -> str:
        """The text of a page."""
        with urllib.request.urlopen(f"{self.url}{path}", timeout=10) as response:  # noqa: S310 -- it is http
            text: str = response.read().decode()
        return text

    def figure(self, name: str, **labels: str) -> float:
        """The sum of the figures of a name with these labels."""
        return sum(
            sample.value
            for family in text_string_to_metric_families(self.page("/metrics"))
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def crashes(self) -> list[Path]:
        """The files that tell what was in hand."""
        return sorted((self.server.folder / "crashes").glob("*.json"))


@pytest.fixture(scope="module")
def watched(start: Start) -> Watched:  # noqa: F811 -- the fixture
    """A server with metrics, with one function."""
    server = start("--metrics-listen=127.0.0.1:0", "--log-format=json", "--log-level=DEBUG")
    server.register("square", formula("sum(x**2)", x="f64[3]"))
    server.register("slow", formula("sum(a @ a @ a @ a)", a="f64[1500,1500]"))
    return Watched(server, _url(server.log))


def _url(log: Path) -> str:
    lines = [json.loads(line)["message"] for line in log.read_text().splitlines()]
    [line] = [line for line in lines if line.startswith("metrics are at ")]
    return line.removeprefix("metrics are at ").removesuffix("/metrics")
