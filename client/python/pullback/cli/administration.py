"""Commands for administrators: `pullback admin ...`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from pullback._records import QuarantinedProgram, RecordedRequest, Tenant
from pullback.cli.connection import connected, json_option, server_option
from pullback.cli.display import console
from pullback.cli.frames import spell_bytes, spell_seconds

_NOBODY = "(none)"
_SHORT = 12


@click.group()
def admin() -> None:
    """Look after a server; takes the role "administer"."""


@admin.command()
@json_option
@server_option
def tenants(as_json: bool, server: str) -> None:
    """List tenants with what they use."""
    with connected(server) as client:
        found = client.administration.tenants()
    if as_json:
        _print_json(found)
    else:
        console().print(_tenant_table(found))


@admin.command()
@json_option
@server_option
def quarantine(as_json: bool, server: str) -> None:
    """List programs that are refused since they have killed workers."""
    with connected(server) as client:
        found = client.administration.quarantine()
    if as_json:
        _print_json(found)
    elif found:
        console().print(_quarantine_table(found))
    else:
        click.echo("No program is in quarantine.", err=True)


@admin.command()
@click.argument("digests", metavar="DIGEST...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All programs in quarantine.")
@server_option
def clear(digests: tuple[str, ...], everything: bool, server: str) -> None:
    """Let programs run again that are in quarantine, by 8 digits of their digests or more."""
    if bool(digests) == everything:
        raise click.UsageError("give either DIGEST or --all")
    with connected(server) as client:
        if everything:
            digests = tuple(program.digest for program in client.administration.quarantine())
        for digest in digests:
            click.echo(f"Cleared {client.administration.clear(digest)}.")


@admin.command()
@server_option
def collect(server: str) -> None:
    """Remove uploads, programs and constants that nothing needs any more."""
    with connected(server) as client:
        collected = client.administration.collect()
    nbytes = spell_bytes(collected.nbytes) or "0 B"
    click.echo(
        f"Removed {collected.uploads} uploads, and {collected.blobs} programs and constants of {nbytes}."
    )


@admin.command()
@click.argument("tenant")
@click.argument("functions", nargs=-1)
@server_option
def adopt(tenant: str, functions: tuple[str, ...], server: str) -> None:
    """Give functions to TENANT that were registered before there were tenants; without FUNCTIONS all."""
    with connected(server) as client:
        given = client.administration.adopt(tenant, functions)
    click.echo(f"{tenant} has now: {', '.join(given.adopted) or 'nothing more'}.")
    if given.left:
        click.echo(f"Left, since {tenant} has others of these names: {', '.join(given.left)}.", err=True)


@admin.command()
@click.option("--tenant", help="Only those of this tenant.")
@click.option("--failed", is_flag=True, help="Only those that failed.")
@click.option("--most", default=20, show_default=True, help="The most that have ended.")
@json_option
@server_option
def requests(tenant: str | None, failed: bool, most: int, as_json: bool, server: str) -> None:
    """List evaluations in hand, and the last that ended."""
    with connected(server) as client:
        found = client.administration.requests(tenant=tenant, failed=failed, most=most)
    if as_json:
        _print_json(found)
    else:
        console().print(_request_table(found))


@admin.command("export")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@server_option
def export_(file: Path, server: str) -> None:
    """Write all functions of all tenants to FILE, as one archive."""
    with connected(server) as client:
        nbytes = client.administration.export_registry(file)
    click.echo(f"Wrote {spell_bytes(nbytes)} to {file}.")


@admin.command("import")
@click.argument("file", type=click.Path(dir_okay=False, exists=True, path_type=Path))
@server_option
def import_(file: Path, server: str) -> None:
    """Take over the functions of an archive, all or none."""
    with connected(server) as client:
        imported = client.administration.import_registry(file)
    click.echo(f"Took over {imported.functions} functions, {imported.changed} of them new or changed.")


def _print_json(records: Iterable[Any]) -> None:
    click.echo(json.dumps([asdict(record) for record in records], indent=2, default=str))


def _tenant_table(tenants: Iterable[Tenant]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("TENANT", overflow="fold")
    for column in ("FUNCTIONS", "STORED", "IN FLIGHT", "REQUESTS", "DEVICE TIME"):
        table.add_column(column, justify="right")
    for tenant in tenants:
        most = tenant.max_stored_bytes
        table.add_row(
            tenant.name or _NOBODY,
            _of(str(tenant.functions), None if tenant.max_functions is None else str(tenant.max_functions)),
            _of(spell_bytes(tenant.stored_bytes) or "0 B", None if most is None else spell_bytes(most)),
            str(tenant.in_flight),
            str(tenant.requests),
            spell_seconds(tenant.device_seconds) or "0 s",
        )
    return table


def _of(used: str, most: str | None) -> str:
    return used if most is None else f"{used} of {most}"


def _quarantine_table(programs: Iterable[QuarantinedProgram]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("PROGRAM", "DEATHS", "LAST", "CAUSE", "FUNCTIONS"):
        table.add_column(column, overflow="fold")
    for program in programs:
        table.add_row(
            program.digest[:_SHORT],
            str(program.deaths),
            f"{program.died:%Y-%m-%d %H:%M}",
            program.cause,
            ", ".join(name.partition("@")[0] for name in program.functions),
        )
    return table


def _request_table(found: Iterable[RecordedRequest]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in (
        "BEGAN",
        "TENANT",
        "FUNCTION",
        "WANTED",
        "POINTS",
        "TOOK",
        "QUEUE",
        "RUN",
        "END",
        "REQUEST",
    ):
        table.add_column(column, overflow="fold")
    for each in found:
        name, _, digest = each.function.partition("@")
        table.add_row(
            f"{each.began.astimezone():%H:%M:%S}",
            each.tenant,
            f"{name}@{digest[:_SHORT]}" if digest else name,
            each.derivative,
            "" if each.points is None else str(each.points),
            spell_seconds(each.seconds),
            spell_seconds(each.queue_seconds),
            spell_seconds(each.execute_seconds),
            "in hand" if each.in_hand else each.reason or "OK",
            each.request_id,
        )
    return table
