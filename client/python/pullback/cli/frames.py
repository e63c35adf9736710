"""How `pullback top` looks: one frame from what a server says it is doing."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pullback._durations import seconds
from pullback.v1 import administration_pb2 as pb

_UNITS: Final = ((1.0, "s", 1), (1e-3, "ms", 1e3), (0.0, "µs", 1e6))
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_KIB: Final = 1024.0
_EVERYBODY: Final = "-"


def frame(status: pb.GetStatusResponse, address: str, now: datetime) -> Group:
    """What a server is doing.

    Args:
        status: What it says.
        address: Where it was asked.
        now: When that was.
    """
    parts: list[RenderableType] = [
        _heading(status, address, now),
        _workers(status.workers),
        _activities("FUNCTION", status.functions, status.total),
    ]
    if any(each.tenant for each in status.tenants):
        parts.append(_activities("TENANT", status.tenants, None))
    if status.failures:
        parts.append(_failures(status.failures))
    spaced: list[RenderableType] = [each for part in parts for each in (part, "")]
    return Group(*spaced)


def unreachable(address: str, why: str) -> Group:
    """What is shown while a server cannot be asked."""
    return Group(Text(f"pullback {address}: {why}", style="red"))


def spell_seconds(length: float) -> str:
    """A time in three digits or so: `850 µs`, `12.5 ms`, `3.20 s`; nothing for 0."""
    if length <= 0:
        return ""
    _, unit, factor = next(each for each in _UNITS if length >= each[0])
    return f"{length * factor:.3g} {unit}"


def spell_bytes(nbytes: float) -> str:
    """Bytes in binary units: `512 B`, `1.50 GiB`; nothing for 0."""
    if nbytes <= 0:
        return ""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if nbytes < _KIB:
            return f"{nbytes:.3g} {unit}"
        nbytes /= _KIB
    return f"{nbytes:.3g} TiB"


def spell_uptime(length: float) -> str:
    """A long time in its two largest units: `3 d 4 h`, `12 min 5 s`."""
    whole = int(length)
    if whole >= _DAY:
        return f"{whole // _DAY} d {whole % _DAY // _HOUR} h"
    if whole >= _HOUR:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"
    return f"{whole // _MINUTE} min {whole % _MINUTE} s"


def _heading(status: pb.GetStatusResponse, address: str, now: datetime) -> Text:
    total = status.total
    text = Text(f"pullback {status.server_version} at {address}", style="bold")
    state = "draining" if status.draining else f"up {spell_uptime(seconds(status.uptime))}"
    text.append(f"  {state}  {now:%H:%M:%S}\n", style="not bold")
    text.append(f"{total.rate:.1f}/s over {spell_seconds(seconds(status.window)) or '0 s'}", style="green")
    text.append(f"  {total.failed} failed", style="red" if total.failed else "not bold")
    shown = {
        "in flight": str(status.in_flight),
        "open calls": str(status.open_calls),
        "requests": spell_bytes(status.request_bytes),
        "results": spell_bytes(status.result_bytes),
    }
    rest = "".join(f"  {name} {value}" for name, value in shown.items() if value)
    text.append(rest, style="not bold")
    return text


def _workers(workers: Iterable[pb.WorkerStatus]) -> Table:
    table = _table("WORKER", "STATE", ">PID", ">IN HAND", ">DEATHS", ">MEMORY", ">RUNS", ">BUSY", ">COMPILED")
    for worker in workers:
        table.add_row(
            worker.name,
            Text(worker.state, style="green" if worker.state == "ready" else "red"),
            str(worker.process or ""),
            str(worker.in_flight),
            Text(str(worker.deaths), style="red" if worker.deaths else ""),
            spell_bytes(worker.memory_bytes),
            str(worker.runs),
            spell_seconds(seconds(worker.busy)),
            str(worker.compilations),
        )
    return table


def _activities(what: str, rows: Iterable[pb.Activity], total: pb.Activity | None) -> Table:
    table = _table(what, "DERIVATIVE", ">COUNT", ">FAILED", ">PER SECOND", ">HALF", ">99 OF 100", ">QUEUE")
    for row in rows:
        table.add_row(*_activity(_named(row, what), row))
    if total is not None:
        table.add_row(*_activity("all", total), style="bold")
    return table


def _named(row: pb.Activity, what: str) -> str:
    tenant = row.tenant or _EVERYBODY
    if what == "TENANT":
        return tenant
    name = _short(row.function)
    return f"{row.tenant}: {name}" if row.tenant else name


def _activity(name: str, row: pb.Activity) -> tuple[str, ...]:
    return (
        name,
        row.derivative,
        str(row.count),
        str(row.failed or ""),
        f"{row.rate:.1f}",
        *(spell_seconds(seconds(each)) for each in (row.median, row.nearly_all, row.queue)),
    )


def _failures(failures: Iterable[pb.RecordedRequest]) -> Table:
    table = _table("FAILED", "REASON", "FUNCTION", "DERIVATIVE", "TENANT", ">TOOK", "REQUEST")
    for each in failures:
        begun = each.begin_time.ToDatetime(UTC).astimezone()
        table.add_row(
            f"{begun:%H:%M:%S}",
            Text(each.reason, style="red"),
            _short(each.function),
            each.derivative,
            each.tenant or _EVERYBODY,
            spell_seconds(seconds(each.duration)),
            each.request_id,
        )
    return table


def _table(*columns: str) -> Table:
    """A table; what begins with `>` is set to the right."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column.removeprefix(">"), justify="right" if column.startswith(">") else "left")
    return table


def _short(revision: str) -> str:
    """A revision's name without its folders, and with the first digits of its digest."""
    name, _, digest = revision.removeprefix("functions/").partition("/revisions/")
    return f"{name}@{digest[:8]}" if digest else name or "?"
