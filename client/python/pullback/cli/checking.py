"""The command that checks derivatives."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import click
import numpy as np
from rich.table import Table

from pullback.checking.report import Finding, NonFinite, Report, Verdict
from pullback.cli.connection import connected, json_option, server_option
from pullback.cli.display import console
from pullback.cli.values import fit, parse_argnums, parse_sizes, parse_values
from pullback.program.signature import Signature

# click keeps the lines of a paragraph that begins with a backspace.
_EXAMPLES: Final = """\b
pullback check loss
pullback check loss --order 3 --points 10 --uniform 0.5 2
pullback check loss --at points.npz"""
_STYLES: Final = {
    Verdict.PASSED: "green",
    Verdict.FAILED: "bold red",
    Verdict.KINK: "yellow",
    Verdict.NON_FINITE: "yellow",
    Verdict.INCONCLUSIVE: "yellow",
}
_WITH_NOTES: Final = (Verdict.FAILED, Verdict.KINK, Verdict.NON_FINITE)


@click.command("check", epilog=_EXAMPLES)
@click.argument("name", metavar="NAME[@REVISION]")
@click.option(
    "--at", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A .json or .npz file."
)
@click.option(
    "--arg", "arguments", multiple=True, metavar="VALUE", help="Where to check: an argument, as for `eval`."
)
@click.option("--points", default=3, show_default=True, type=click.IntRange(min=1), help="How many to draw.")
@click.option("--uniform", nargs=2, type=float, metavar="LOW HIGH", help="Draw between bounds, not normally.")
@click.option(
    "--size", "sizes", multiple=True, metavar="SYMBOL=N", help="The size of a symbol of the signature."
)
@click.option("--seed", default=0, show_default=True, help="For what is drawn.")
@click.option("--argnums", help="The arguments to differentiate; all that can be, if left out.")
@click.option("--order", default=2, show_default=True, type=click.IntRange(min=1), help="The highest order.")
@click.option(
    "--elements",
    default=64,
    show_default=True,
    type=click.IntRange(min=1),
    help="How many elements to move singly.",
)
@json_option
@server_option
def check(
    name: str,
    at: Path | None,
    arguments: tuple[str, ...],
    points: int,
    uniform: tuple[float, float] | None,
    sizes: tuple[str, ...],
    seed: int,
    argnums: str | None,
    order: int,
    elements: int,
    as_json: bool,
    server: str,
) -> None:
    """Compare derivatives with finite differences, and forward with reverse mode.

    The exit status is 1 if one is wrong, or nothing could be checked.
    """
    with connected(server) as client:
        function = client.function(name)
        positional, named = _where(function.signature, at, arguments)
        report = function.check(
            *positional,
            argnums=parse_argnums(argnums),
            order=order,
            points=points,
            uniform=uniform,
            sizes=parse_sizes(sizes),
            elements=elements,
            seed=seed,
            **named,
        )
    if as_json:
        click.echo(json.dumps(_as_json(report)))
    else:
        _print(report)
    raise SystemExit(not report.passed)


def _where(
    signature: Signature, at: Path | None, arguments: tuple[str, ...]
) -> tuple[list[Any], dict[str, Any]]:
    """The arguments that are given, fitted to the signature's trees."""
    positional, named = parse_values(arguments)
    if at is not None:
        positional, named = [*positional], {**_read(at), **named}
    trees = {argument.name: argument.tree for argument in signature.arguments}
    fitted = [fit(tree, value) for tree, value in zip(trees.values(), positional, strict=False)]
    return (
        [*fitted, *positional[len(fitted) :]],
        {key: fit(trees[key], value) if key in trees else value for key, value in named.items()},
    )


def _read(path: Path) -> dict[str, Any]:
    """The arguments in a file, by their names."""
    if path.suffix.lower() == ".npz":
        with np.load(path, allow_pickle=False) as archive:
            return dict(archive)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise click.BadParameter(f"{path} is no JSON: {error}", param_hint="--at") from error
    if not isinstance(found, dict):
        raise click.BadParameter(f'{path} must be an object such as {{"x": [1, 2]}}', param_hint="--at")
    return found


def _print(report: Report) -> None:
    terminal = console()
    if report.findings:
        terminal.print(_table(report))
    for finding in report.summary:
        if finding.verdict in _WITH_NOTES and finding.note:
            terminal.print(f"{_title(finding)}: {finding.note}", markup=False, highlight=False)
    for broken in report.non_finite:
        terminal.print(_spell(broken), markup=False, highlight=False)
    if report.rules:
        spelled = ", ".join(f"{rule.origin} {rule.name} ({rule.operations})" for rule in report.rules)
        terminal.print(f"rules: {spelled}", markup=False, highlight=False)
    terminal.print(_conclusion(report), markup=False, highlight=False)


def _table(report: Report) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("DERIVATIVE", "COMPARED WITH", "VERDICT", "ERROR", "TOLERANCE", "AT"):
        table.add_column(column, overflow="fold")
    for finding in report.summary:
        compared = finding.tolerance > 0
        table.add_row(
            finding.derivative,
            finding.against,
            f"[{_STYLES.get(finding.verdict, 'dim')}]{finding.verdict}[/]",
            f"{finding.error:.1e}" if compared else "",
            f"{finding.tolerance:.0e}" if compared else "",
            _place(finding).replace("[", "\\[") if compared else "",
        )
    return table


def _title(finding: Finding) -> str:
    return f"{finding.derivative} against {finding.against}, {_place(finding)}"


def _place(finding: Finding) -> str:
    parts = (finding.argument, finding.result, f"point {finding.point}")
    return ", ".join(part for part in parts if part and part != "result")


def _spell(broken: NonFinite) -> str:
    why = f", because of {', '.join(broken.culprits)}" if broken.culprits else ""
    return f"{broken.quantity} is {broken.value} at {broken.where}, point {broken.point}{why}"


def _conclusion(report: Report) -> str:
    points = f"{report.points} point{'' if report.points == 1 else 's'}"
    if not report.findings:
        return f"{report.function} has nothing to differentiate"
    if report.passed:
        return f"{report.function} passed at {points}"
    if any(finding.verdict is Verdict.FAILED for finding in report.findings):
        return f"{report.function} FAILED at {points}"
    return f"{report.function} could not be checked at {points}; choose others with --uniform, --at or --arg"


def _as_json(report: Report) -> dict[str, Any]:
    """The report with the names of its attributes; JSON has no infinity, so an infinite error is null."""
    plain = {"passed": report.passed, **asdict(report)}
    for finding in plain["findings"]:
        finding["error"] = finding["error"] if math.isfinite(finding["error"]) else None
    return plain
