"""What is counted, recorded and told of evaluations, where each begins and ends.

This stands in the way of every request, so all that can be made once is: an evaluation costs two calls, a
look-up by its kind, and sums.
"""

from __future__ import annotations

import asyncio
import logging
import time
from bisect import bisect_left
from collections.abc import Iterator
from math import inf
from typing import Final

from pullback_server.errors import Reason, ServiceError
from pullback_server.model.evaluation import Kind, Timing
from pullback_server.telemetry import metrics
from pullback_server.telemetry.crashes import Crashes
from pullback_server.telemetry.histograms import SECONDS, Histogram
from pullback_server.telemetry.metrics import Family
from pullback_server.telemetry.recorder import Began, Recorder, derivative_of, refused
from pullback_server.telemetry.requests import request_id
from pullback_server.telemetry.tenants import Labels
from pullback_server.telemetry.tracing import Tracing

_log = logging.getLogger(__name__)
_MOST_KINDS: Final = 4096
_CANCELLED: Final = "CANCELLED"


class Series:
    """The evaluations of one derivative for one tenant.

    Attributes:
        derivative: The derivative.
        label: The tenant's label.
        counts: How many took how long, by the bounds `SECONDS`.
        seconds: What they took together.
        points: How many points they had.
        queue: What they waited for others.
    """

    __slots__ = ("counts", "derivative", "label", "points", "queue", "seconds")

    def __init__(self, derivative: str, label: str, queue: Histogram) -> None:
        self.derivative = derivative
        self.label = label
        self.counts = [0] * (len(SECONDS) + 1)
        self.seconds = 0.0
        self.points = 0
        self.queue = queue

    @property
    def latency(self) -> Histogram:
        """How long they took."""
        histogram = Histogram(SECONDS)
        histogram.counts, histogram.total = list(self.counts), self.seconds
        return histogram


class Evaluations:
    """Watches evaluations.

    Args:
        labels: The labels of tenants.
        recorder: Where they are recorded.
        crashes: Where is written what was in hand at an error that nobody foresaw.
        slow_seconds: Those that take longer are told in the log; 0 tells of none.
        tracing: What tells of them in traces; None where there are none.
    """

    def __init__(
        self,
        labels: Labels,
        recorder: Recorder,
        crashes: Crashes,
        slow_seconds: float = 0.0,
        tracing: Tracing | None = None,
    ) -> None:
        self._tracing = tracing
        self.recorder = recorder
        self._crashes = crashes
        self._labels = labels
        self._slow = slow_seconds or inf
        self._series: dict[tuple[str, str], Series] = {}
        self._queues: dict[str, Histogram] = {}
        self._by_kind: dict[tuple[Kind | None, str], Series] = {}
        self._failures: dict[tuple[str, str], int] = {}

    def begin(self, began: float, tenant: str, revision: str, kind: Kind, points: int | None) -> int:
        """Has one begin, at `began` on the clock of `time.monotonic`; gives its number."""
        return self.recorder.begin((began, request_id.get(), tenant, revision, kind, points))

    def end(self, number: int, now: float, timing: Timing) -> None:
        """Counts one that ended well."""
        recorder = self.recorder
        began = recorder.take(number)
        seconds = now - began[0]
        recorder.keep(began, seconds, timing)
        key = began[4], began[2]
        series = self._by_kind.get(key) or self._new(key)
        series.counts[bisect_left(SECONDS, seconds)] += 1
        series.seconds += seconds
        series.points += began[5] or 1
        series.queue.add(timing.queue)
        if seconds > self._slow:
            _tell(began, seconds, timing)
        if self._tracing is not None:
            self._tracing.evaluation(began, seconds, timing)

    def fail(self, number: int | None, began: float, tenant: str, error: BaseException) -> None:
        """Counts one that failed, or that nobody wants any more.

        Args:
            number: Its number; None if it was refused before it was known what it is.
            began: When it began.
            tenant: Whose it is.
            error: Why.
        """
        reason = _reason(error)
        if reason == Reason.INTERNAL and not isinstance(error, ServiceError):
            self._crashes.unforeseen(error)
        recorder = self.recorder
        known = recorder.take(number) if number is not None else refused(began, request_id.get(), tenant)
        recorder.keep(known, time.monotonic() - began, reason=reason)
        key = reason, self._labels.of(tenant)
        self._failures[key] = self._failures.get(key, 0) + 1

    def families(self) -> Iterator[Family]:
        """The figures."""
        series = list(self._series.values())
        yield metrics.SECONDS, (((each.derivative, each.label), each.latency) for each in series)
        yield metrics.POINTS, (((each.derivative, each.label), each.points) for each in series)
        yield metrics.QUEUE, (((label,), queue) for label, queue in list(self._queues.items()))
        yield metrics.FAILURES, list(self._failures.items())

    def _new(self, key: tuple[Kind | None, str]) -> Series:
        """The series of a kind for a tenant, which others may have begun."""
        kind, tenant = key
        name = derivative_of(kind), self._labels.of(tenant)
        series = self._series.get(name)
        if series is None:
            queue = self._queues.setdefault(name[1], Histogram(SECONDS))
            series = self._series[name] = Series(*name, queue)
        if len(self._by_kind) >= _MOST_KINDS:
            self._by_kind.clear()
        self._by_kind[key] = series
        return series


def _reason(error: BaseException) -> str:
    if isinstance(error, ServiceError):
        return error.reason.value
    return _CANCELLED if isinstance(error, asyncio.CancelledError) else Reason.INTERNAL.value


def _tell(began: Began, seconds: float, timing: Timing) -> None:
    """Tells of a slow one where its time went."""
    _, _, _, revision, kind, points = began
    rest = seconds - timing.queue - timing.compile - timing.execute
    _log.warning(
        "a slow evaluation: %s of %s at %s took %.3f s: %.3f s of waiting, %.3f s of compiling, "
        "%.3f s on the device, %.3f s of the rest",
        derivative_of(kind),
        revision,
        "a point" if points is None else f"{points} points",
        seconds,
        timing.queue,
        timing.compile,
        timing.execute,
        max(rest, 0.0),
    )
