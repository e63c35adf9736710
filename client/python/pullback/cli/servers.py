"""Commands on servers: serve, health, capabilities, demo."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import sys
from dataclasses import asdict

import click

from pullback._descriptions import Health
from pullback.cli.connection import connected, json_option, readable_errors, server_option
from pullback.cli.display import as_pairs, console


@click.command(
    add_help_option=False, context_settings={"ignore_unknown_options": True, "allow_extra_args": True}
)
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def serve(options: tuple[str, ...]) -> None:
    """Run a server; `pullback serve --help` lists its settings."""
    _require("pullback_server", "server")
    os.execv(sys.executable, [sys.executable, "-m", "pullback_server", *options])  # noqa: S606 -- no shell is wanted


@click.command(
    add_help_option=False, context_settings={"ignore_unknown_options": True, "allow_extra_args": True}
)
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def registry(options: tuple[str, ...]) -> None:
    """Write all functions of a server that does not run to one file, or take them over; see --help."""
    _require("pullback_server", "server")
    os.execv(sys.executable, [sys.executable, "-m", "pullback_server.registry", *options])  # noqa: S606 -- as above


@click.command()
@click.option("--timeout", default=3.0, show_default=True, help="How many seconds the answer may take.")
@server_option
def health(timeout: float, server: str) -> None:
    """Say whether a server serves, by the exit status too: 0 if it does."""
    with connected(server) as client:
        found = client.health(timeout=timeout)
    click.echo(found.value)
    raise SystemExit(found is not Health.SERVING)


@click.command()
@json_option
@server_option
def capabilities(as_json: bool, server: str) -> None:
    """Show what a server supports."""
    with connected(server) as client:
        found = client.capabilities()
    if as_json:
        click.echo(json.dumps(asdict(found), indent=2))
        return
    limits = asdict(found.limits)
    rows = [
        ("server", found.server_version),
        ("versions", ", ".join(f"{name} {version}" for name, version in sorted(found.versions.items()))),
        ("devices", "\n".join(f"{each.platform}:{each.ordinal}  {each.kind}" for each in found.devices)),
        ("formats", ", ".join(found.formats)),
        ("wants", ", ".join(found.quantities)),
        ("types", ", ".join(found.element_types)),
        ("limits", "\n".join(f"{name} {value}" for name, value in limits.items())),
    ]
    console().print(as_pairs(rows))


@click.command()
def demo() -> None:
    """Run real functions on an embedded server and compare with local JAX."""
    _require("pullback_server", "demo")
    with readable_errors():
        report = importlib.import_module("pullback.demo.report")
        raise SystemExit(report.main())


def _require(package: str, extra: str) -> None:
    if importlib.util.find_spec(package) is None:
        raise click.ClickException(f"this needs a server; run pip install 'pullback[{extra}]'")
