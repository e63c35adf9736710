"""What the server is doing now, as messages: for `pullback top` and whoever asks AdministrationService."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import islice
from typing import Final

from google.protobuf import timestamp_pb2

from pullback.v1 import administration_pb2 as pb
from pullback_server.engine.interface import WorkerStatus
from pullback_server.errors import Reason, service_error
from pullback_server.services.observation import Observation
from pullback_server.services.status import duration
from pullback_server.telemetry.activity import Row, activity
from pullback_server.telemetry.memory import resident_bytes
from pullback_server.telemetry.recorder import Record

_WINDOW_SECONDS: Final = 10.0
_ROWS: Final = 20
_MOST_ROWS: Final = 200
# A thousand take milliseconds, in which nothing else is done.
_SUMMED: Final = 1000
_FAILURES: Final = 10
_PAGE: Final = 100
_LARGEST_PAGE: Final = 1000
_MICROSECONDS: Final = 1_000_000


def status(observation: Observation, request: pb.GetStatusRequest) -> pb.GetStatusResponse:
    """What the server is doing now.

    Raises:
        RequestError: MALFORMED_REQUEST if the window or the number of rows is negative.
    """
    window = request.window.seconds + request.window.nanos / 1e9
    if window < 0 or request.max_rows < 0:
        raise service_error(Reason.MALFORMED_REQUEST, "window and max_rows must not be negative")
    recorder = observation.watch.recorder
    rows = min(request.max_rows or _ROWS, _MOST_ROWS)
    full = min(recorder.most, _SUMMED)
    seen = activity(recorder.recent(full), time.time(), window or _WINDOW_SECONDS, rows, full=full)
    failures = (record for record in recorder.recent() if record.reason)
    return pb.GetStatusResponse(
        server_version=observation.version,
        uptime=duration(time.monotonic() - observation.began),
        draining=observation.draining,
        in_flight=recorder.in_hand,
        open_calls=observation.calls.count,
        request_bytes=observation.budgets.requests.used,
        result_bytes=observation.budgets.results.used,
        workers=map(_worker, observation.engine.workers),
        window=duration(seen.seconds),
        total=_activity(seen.total),
        functions=map(_activity, seen.functions),
        tenants=map(_activity, seen.tenants),
        failures=map(_recorded, islice(failures, _FAILURES)),
    )


def requests(observation: Observation, request: pb.ListRequestsRequest) -> pb.ListRequestsResponse:
    """The requests in hand and the last that ended.

    Raises:
        RequestError: MALFORMED_REQUEST if the size of the page is negative.
    """
    if request.page_size < 0:
        raise service_error(Reason.MALFORMED_REQUEST, f"page_size is {request.page_size}; it is 0 or more")

    def asked(records: Iterator[Record]) -> Iterator[Record]:
        for record in records:
            if request.HasField("tenant") and record.tenant != request.tenant:
                continue
            if record.reason or not request.failed:
                yield record

    recorder = observation.watch.recorder
    most = min(request.page_size or _PAGE, _LARGEST_PAGE)
    in_hand = iter(()) if request.failed else asked(recorder.open())
    return pb.ListRequestsResponse(
        in_hand=map(_recorded, islice(in_hand, _LARGEST_PAGE)),
        recent=map(_recorded, islice(asked(recorder.recent()), most)),
    )


def _worker(worker: WorkerStatus) -> pb.WorkerStatus:
    nbytes = None if worker.process is None else resident_bytes(worker.process)
    return pb.WorkerStatus(
        name=worker.name,
        state=worker.state.value,
        process=worker.process or 0,
        in_flight=worker.in_flight,
        deaths=worker.deaths,
        memory_bytes=nbytes or 0,
        runs=worker.figures.runs,
        busy=duration(worker.figures.busy_seconds),
        compilations=worker.figures.compiling.count,
    )


def _activity(row: Row) -> pb.Activity:
    tenant, function, derivative = (*row.key, "", "", "")[:3]
    return pb.Activity(
        tenant=tenant,
        function=function,
        derivative=derivative,
        count=row.count,
        failed=row.failed,
        rate=row.rate,
        median=duration(row.median),
        nearly_all=duration(row.nearly_all),
        queue=duration(row.queue),
    )


def _recorded(record: Record) -> pb.RecordedRequest:
    seconds, micros = divmod(round(record.time * _MICROSECONDS), _MICROSECONDS)
    return pb.RecordedRequest(
        begin_time=timestamp_pb2.Timestamp(seconds=seconds, nanos=micros * 1000),
        request_id=record.request_id,
        tenant=record.tenant,
        function=record.function,
        derivative=record.derivative,
        points=record.points,
        duration=duration(record.seconds),
        queue=duration(record.queue),
        compile=duration(record.compile),
        execute=duration(record.execute),
        reason=record.reason,
        worker=record.worker,
    )
