"""Whatever clients should not have seen is told."""

from __future__ import annotations

from chaos.clients.events import Event, event
from chaos.report import table, wrong

PAUSES = [(100.0, 103.0)]


def test_all_well() -> None:
    """What went well is nobody's violation; an event is the same after its way in a line."""
    well = Event("bare", began=99.0, seconds=2.0, outcome="ok", answers=30, reopened=1)
    assert event(well.line()) == well
    assert wrong([well], PAUSES) == []


def test_what_did_not_go_well() -> None:
    """Wrong numbers and errors are, each counted once with its words."""
    events = [Event("point", float(number), 0.1, "WRONG: off by 0.5") for number in range(3)]
    events.append(Event("map", 5.0, 0.1, "NOT_FOUND: gone"))
    assert wrong(events, []) == ["3 times point: WRONG: off by 0.5", "1 times map: NOT_FOUND: gone"]


def test_a_stream_that_breaks_off() -> None:
    """A stream may break off while the front is restarted, and at no other time."""
    before = Event("bare", began=90.0, seconds=2.0, outcome="ok", answers=30, reopened=1)
    after = Event("bare", began=103.5, seconds=2.0, outcome="ok", answers=30, reopened=2)
    (told,) = wrong([before, after], PAUSES)
    assert told.startswith("2 times bare: its stream broke off")


def test_table() -> None:
    """Each kind has a row, and each fault one of what was done near it."""
    events = [Event("point", 10.0, 0.25, "ok", 1), Event("map", 20.0, 4.0, "ok", 1500)]
    rows = {line[:18].strip(): line[18:].split() for line in table(events, [(9.0, "loop"), (21.0, "greed")])}
    assert rows["point"] == ["1", "1", "0.250", "0.250", "0.250"]
    assert rows["near loop"] == rows["point"]
    assert rows["near greed"] == rows["map"] == ["1", "1500", "4.000", "4.000", "4.000"]
    assert rows["all"][:2] == ["2", "1501"]
