"""The list of metrics on its page, and what is drawn and alerted of them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from pullback_server.telemetry.metrics import METRICS
from pullback_server.telemetry.reference import BEGIN, END, embed

ROOT = Path(__file__).parents[3]
MONITORING = ROOT / "deploy" / "monitoring"


def test_the_page_is_up_to_date() -> None:
    """`./dev generate` writes it."""
    page = (ROOT / "docs" / "observability.md").read_text()
    assert embed(page) == page


def test_a_page_without_marks() -> None:
    """A page where the list has no place is refused."""
    with pytest.raises(ValueError, match="followed by"):
        embed(f"{END} text {BEGIN}")


@pytest.mark.parametrize("file", ["dashboard.json", "alerts.yaml"])
def test_what_is_asked_for_is_shown(file: str) -> None:
    """Dashboard and alerts ask for metrics that exist, by the names under which they are shown."""
    shown = {
        metric.shown + suffix
        for metric in METRICS
        for suffix in (("_bucket", "_sum", "_count") if metric.kind == "histogram" else ("",))
    }
    asked = set(re.findall(r"\bpullback_\w+", (MONITORING / file).read_text()))
    assert asked
    assert asked <= shown


def test_the_dashboard() -> None:
    """It is JSON as Grafana imports it: panels with titles, queries and places that do not overlap."""
    dashboard = json.loads((MONITORING / "dashboard.json").read_text())
    places = set()
    for panel in dashboard["panels"]:
        assert panel["title"]
        assert all(target["expr"] for target in panel["targets"])
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & places
        places |= cells
