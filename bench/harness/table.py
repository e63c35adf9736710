"""The results as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from harness.contestants import CONTESTANTS
from harness.rounds import CANNOT, Measured
from harness.rows import Bar, Entry, Row

Results = Mapping[str, Mapping[str, Measured]]


def tables(rows: Sequence[Row], results: Results, absent: Mapping[str, str]) -> str:
    """The bars of all rows, and then each row with its entries."""
    parts = [bars_table(rows, results)]
    parts += [row_table(row, results[row.key]) for row in rows]
    if absent:
        parts.append("\n".join(f"Left out: {_label(name)}: {why}" for name, why in absent.items()))
    return "\n\n".join(parts)


def bars_table(rows: Sequence[Row], results: Results) -> str:
    """Each bar, with what was measured, and whether it is met."""
    lines = ["| row | bar | measured | |", "| --- | --- | ---: | --- |"]
    for row in rows:
        measured = results[row.key]
        lines += [_bar_line(row, bar, measured) for bar in row.bars if _asked(bar, measured)]
    return "\n".join(lines)


def _asked(bar: Bar, measured: Mapping[str, Measured]) -> bool:
    return CANNOT not in {measured[bar.who].failure, measured[bar.against].failure}


def judge(bar: Bar, measured: Mapping[str, Measured]) -> tuple[float | None, bool | None]:
    """The ratio that a bar is about, and whether it is met; None where it was not measured."""
    ratio = measured[bar.who].ratio(measured[bar.against])
    if ratio is None:
        return None, None
    if bar.of == "time":
        return ratio, ratio <= bar.limit
    return 1.0 / ratio, 1.0 / ratio >= bar.limit


def row_table(row: Row, measured: Mapping[str, Measured]) -> str:
    """The entries of a row, with times, ratios and CPU seconds; who cannot do it is left out."""
    baseline = row.entries[0]
    lines = [
        f"### {row.title}",
        "",
        f"| who | time a call | points/s | over {_label(baseline.contestant)} | CPU: client | server |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for entry in row.entries:
        lines += _entry_lines(entry, measured[entry.key], measured[baseline.key])
    return "\n".join(lines)


def _entry_lines(entry: Entry, measured: Measured, baseline: Measured) -> Iterator[str]:
    seconds = measured.median(lambda turn: turn.seconds)
    name = f"{_label(entry.contestant)}{f', {entry.label}' if entry.label else ''}"
    if seconds is not None:
        client = measured.median(lambda turn: turn.client_cpu)
        server = measured.median(lambda turn: turn.server_cpu)
        cells = [
            duration(seconds),
            f"{entry.way.points / seconds:,.0f}",
            _number(measured.ratio(baseline)),
            duration(client),
            duration(server) if server else "",
        ]
        yield f"| {name} | {' | '.join(cells)} |"
    elif measured.failure != CANNOT:
        why = measured.failure.replace("|", "/")[-200:]
        yield f"| {name} | failed: {why} | | | | |"


def _bar_line(row: Row, bar: Bar, measured: Mapping[str, Measured]) -> str:
    names = {entry.key: entry for entry in row.entries}
    who, against = (_entry_label(names[key]) for key in (bar.who, bar.against))
    sign = "≤" if bar.of == "time" else "≥"
    ratio, met = judge(bar, measured)
    word = {True: "met", False: "**missed**", None: "not measured"}[met]
    return (
        f"| {row.title} | {bar.of} of {who} over {against} {sign} {bar.limit:g} | {_number(ratio)} | {word} |"
    )


def _entry_label(entry: Entry) -> str:
    return f"{_label(entry.contestant)}{f' ({entry.label})' if entry.label else ''}"


def _label(name: str) -> str:
    return CONTESTANTS[name].label


def _number(ratio: float | None) -> str:
    if ratio is None:
        return ""
    return f"{ratio:.2f}" if ratio < 100 else f"{ratio:,.0f}"


def duration(seconds: float | None) -> str:
    """A time in the unit that suits it."""
    if seconds is None:
        return ""
    if seconds < 1e-3:
        return f"{1e6 * seconds:.0f} µs"
    return f"{1e3 * seconds:.2f} ms" if seconds < 1 else f"{seconds:.2f} s"
