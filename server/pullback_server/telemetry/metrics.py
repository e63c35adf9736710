"""Which figures a server shows, and what they mean. The page docs/observability.md lists them from here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from pullback_server.telemetry.histograms import Histogram

Reading = tuple[tuple[str, ...], float | Histogram]
"""The values of a metric's labels, in their order, and the figure."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure with a name.

    Attributes:
        name: The name, without the `_total` of counters.
        kind: A counter only grows, until the server is started again; a gauge goes up and down.
        meaning: A sentence.
        labels: What tells its readings apart; each takes a bounded number of values.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    meaning: str
    labels: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        """The name that a query uses."""
        return f"{self.name}_total" if self.kind == "counter" else self.name


Family = tuple[Metric, Iterable[Reading]]
"""A metric with its readings."""

METRICS: Final[list[Metric]] = []
"""All metrics, in the order in which they are shown."""


def _counter(name: str, meaning: str, *labels: str) -> Metric:
    return _kept(Metric(f"pullback_{name}", "counter", meaning, labels))


def _gauge(name: str, meaning: str, *labels: str) -> Metric:
    return _kept(Metric(f"pullback_{name}", "gauge", meaning, labels))


def _histogram(name: str, meaning: str, *labels: str) -> Metric:
    return _kept(Metric(f"pullback_{name}", "histogram", meaning, labels))


def _kept(metric: Metric) -> Metric:
    METRICS.append(metric)
    return metric


CALLS: Final = _counter("calls", "Calls that have ended, a stream as one.", "method", "code", "tenant")
REFUSED: Final = _counter("refused_calls", "Calls turned away before their method was called.", "reason")
RECEIVED: Final = _counter("received_bytes", "Bytes of messages that were read.", "method")
SENT: Final = _counter("sent_bytes", "Bytes of messages that were written.", "method")
OPEN_CALLS: Final = _gauge("open_calls", "Calls that have begun and not ended, streams among them.")
OPEN_STREAMS: Final = _gauge("open_streams", "Streams that have begun and not ended.")

SECONDS: Final = _histogram(
    "evaluation_seconds",
    "From an evaluation's message to its answer, within the server.",
    "derivative",
    "tenant",
)
QUEUE: Final = _histogram("queue_seconds", "What evaluations waited for others to finish.", "tenant")
POINTS: Final = _counter("points", "Points that were evaluated.", "derivative", "tenant")
FAILURES: Final = _counter("evaluation_failures", "Evaluations that failed.", "reason", "tenant")
IN_FLIGHT: Final = _gauge("in_flight", "Evaluations in the server, those that wait among them.")

RUNS: Final = _counter("runs", "Runs that were sent to workers.")
JOINED: Final = _counter("joined_evaluations", "Evaluations that travelled with others.")
CUT: Final = _counter("cut_evaluations", "Evaluations that were cut into pieces.")
REPEATED: Final = _counter("repeated_evaluations", "Evaluations that ran alone, having failed with others.")
BATCHED: Final = _counter("batched_points", "Points that ran in batches, padding included.")
PADDING: Final = _counter("padding_points", "How many of these were padding.")
WARMED: Final = _counter("warmed_buckets", "Executables that were compiled in the background.")

TENANT_SECONDS: Final = _counter("tenant_device_seconds", "Time that devices worked for it.", "tenant")
TENANT_QUEUED: Final = _gauge("tenant_queued", "Its evaluations that wait for a worker.", "tenant")
TENANT_SHED: Final = _counter(
    "tenant_shed", "Its requests that were refused or dropped for want of room.", "tenant"
)
TENANT_LATE: Final = _counter(
    "tenant_late", "Its evaluations that were dropped since their deadline had passed.", "tenant"
)

WORKER_READY: Final = _gauge("worker_ready", "1 while the worker can take work.", "worker")
WORKER_DEATHS: Final = _counter("worker_deaths", "How often its process ended.", "worker", "cause")
WORKER_IN_HAND: Final = _gauge("worker_in_hand", "Requests that the worker has in hand.", "worker")
WORKER_MEMORY: Final = _gauge("worker_memory_bytes", "Memory of the worker's process, as resident.", "worker")
DEVICE_MEMORY: Final = _gauge(
    "device_memory_bytes", "Memory of the device that the worker has; not of CPUs.", "worker", "state"
)
WORKER_RUNS: Final = _counter("worker_runs", "Runs that the worker has answered.", "worker")
WORKER_BUSY: Final = _counter("worker_busy_seconds", "Seconds of running on the device.", "worker")
WORKER_HITS: Final = _counter("worker_executable_hits", "Runs whose executable was there already.", "worker")
COMPILE: Final = _histogram("compile_seconds", "What executables took to compile.", "worker")
BATCH: Final = _histogram("batch_points", "Sizes of runs, padding included; a single point is 1.", "worker")

QUARANTINED: Final = _gauge("quarantined_programs", "Programs that are refused, having killed workers.")
BYTES_IN_FLIGHT: Final = _gauge("bytes_in_flight", "Bytes in hand that are under max_bytes_in_flight.", "of")
WAITING_FOR_ROOM: Final = _gauge("waiting_for_room", "Requests that wait for room for their bytes.", "of")
ARENA: Final = _gauge("arena_bytes", "Memory in which tensors cross between the processes.", "state")
FUNCTIONS: Final = _gauge("functions", "Registered functions.")
STORED: Final = _gauge("stored_bytes", "Bytes of programs and constants in the registry.")
BUILD: Final = _gauge("build", "Always 1; the labels say what runs.", "version")
