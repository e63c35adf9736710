"""Labels of tenants."""

from __future__ import annotations

from pullback_server.telemetry.tenants import OTHER, Labels


def test_the_first_have_their_own() -> None:
    """The first names are their own labels for good; all others share one."""
    labels = Labels(2)
    assert [labels.of(name) for name in ("", "b", "c", "b", "", "d")] == ["", "b", OTHER, "b", "", OTHER]
