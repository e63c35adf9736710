"""What the last requests say of a server as it is: rates and latencies, by function and tenant. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Final

from pullback_server.telemetry.recorder import Record

_MEDIAN: Final = 0.5
_NEARLY_ALL: Final = 0.99
# Of a window without a request since its first moment, the rate is not infinite.
_SHORTEST_SECONDS: Final = 1e-3


@dataclass(frozen=True, slots=True)
class Row:
    """Requests that have something in common.

    Attributes:
        key: What: tenant, function and derivative, or the tenant alone.
        count: How many ended within the window.
        failed: How many of these failed.
        rate: How many ended in a second.
        median: What half of them took no longer than, in seconds.
        nearly_all: What 99 of 100 took no longer than, in seconds.
        queue: What they waited on average, in seconds.
    """

    key: tuple[str, ...]
    count: int
    failed: int
    rate: float
    median: float
    nearly_all: float
    queue: float


@dataclass(frozen=True, slots=True)
class Activity:
    """What happened within a window of time.

    Attributes:
        seconds: How long the window is: shorter than asked where fewer requests are remembered.
        total: All requests.
        functions: Those of each tenant, function and derivative, the most frequent first.
        tenants: Those of each tenant, likewise.
    """

    seconds: float
    total: Row
    functions: tuple[Row, ...]
    tenants: tuple[Row, ...]


def activity(recent: Iterable[Record], now: float, window: float, most: int, *, full: int) -> Activity:
    """What the last requests say.

    Args:
        recent: The last requests, the last that ended first.
        now: The time, in seconds since 1970.
        window: How far back to look, in seconds.
        most: How many functions and tenants to give at most.
        full: How many requests are remembered: where there are as many, older ones are forgotten.
    """
    remembered = list(recent)
    records = list(takewhile(lambda each: _end(each) >= now - window, remembered))
    if len(records) == full and records:
        window = min(window, max(now - _end(records[-1]), _SHORTEST_SECONDS))
    return Activity(
        window,
        _row((), records, window),
        _rows(records, lambda each: (each.tenant, each.function, each.derivative), window)[:most],
        _rows(records, lambda each: (each.tenant,), window)[:most],
    )


def _end(record: Record) -> float:
    return record.time + record.seconds


def _rows(
    records: Iterable[Record], key: Callable[[Record], tuple[str, ...]], window: float
) -> tuple[Row, ...]:
    groups: dict[tuple[str, ...], list[Record]] = {}
    for record in records:
        groups.setdefault(key(record), []).append(record)
    rows = [_row(common, group, window) for common, group in groups.items()]
    return tuple(sorted(rows, key=lambda row: (-row.count, row.key)))


def _row(key: tuple[str, ...], records: Sequence[Record], window: float) -> Row:
    times = sorted(record.seconds for record in records)
    return Row(
        key,
        len(records),
        sum(1 for record in records if record.reason),
        len(records) / window,
        _quantile(times, _MEDIAN),
        _quantile(times, _NEARLY_ALL),
        sum(record.queue for record in records) / max(len(records), 1),
    )


def _quantile(ascending: Sequence[float], share: float) -> float:
    """The value at the nearest rank; 0 where there is none."""
    if not ascending:
        return 0.0
    return ascending[min(int(share * len(ascending)), len(ascending) - 1)]
