"""What a run tells at its end."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence

import numpy as np

from chaos.clients.events import OK, Event

_DURING_SECONDS = 3.0
_SHOWN = 12


def table(events: Sequence[Event], faults: Sequence[tuple[float, str]]) -> list[str]:
    """How many things were done, and how long they took: each kind, and those near each fault.

    Args:
        events: What clients did.
        faults: When each fault began, and which it was.
    """
    lines = [f"{'':18}{'done':>8}{'answers':>9}   seconds: {'50%':>7}{'99%':>8}{'most':>8}"]
    kinds = sorted({each.kind for each in events})
    lines += [_row(kind, [each for each in events if each.kind == kind]) for kind in kinds]
    for fault in sorted({name for _, name in faults}):
        begins = sorted(time for time, name in faults if name == fault)
        lines.append(_row(f"near {fault}", [each for each in events if _near(each, begins)]))
    lines.append(_row("all", events))
    return lines


def wrong(events: Sequence[Event], pauses: Sequence[tuple[float, float]]) -> list[str]:
    """What clients did not get as they should have, each once with its number.

    Args:
        events: What clients did.
        pauses: From when to when the front was restarted; at no other time may a stream break off.
    """
    counts = Counter(f"{each.kind}: {each.outcome}" for each in events if each.outcome != OK)
    counts += Counter(
        f"{each.kind}: its stream broke off, though the front was not restarted"
        for each in events
        if each.reopened and not any(_touches(each, *pause) for pause in pauses)
    )
    return [f"{count} times {words}" for words, count in counts.most_common(_SHOWN)]


def _near(event: Event, begins: Sequence[float]) -> bool:
    """Whether a fault began shortly before a thing was done, or while it was."""
    place = bisect_right(begins, event.began + event.seconds)
    return place > 0 and begins[place - 1] > event.began - _DURING_SECONDS


def _touches(event: Event, begin: float, end: float) -> bool:
    return event.began < end and event.began + event.seconds > begin


def _row(name: str, events: Sequence[Event]) -> str:
    if not events:
        return f"{name:18}{0:8}"
    seconds = [each.seconds for each in events]
    middle, high = np.percentile(seconds, [50, 99])
    answers = sum(each.answers for each in events)
    return f"{name:18}{len(events):8}{answers:9}{middle:19.3f}{high:8.3f}{max(seconds):8.3f}"
