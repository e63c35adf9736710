"""Commands on registered functions: register, list, show, delete, grant, revoke."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Final

import click

from pullback._sources.formula import Formula
from pullback._sources.program import Source, to_program
from pullback.cli.connection import connected, json_option, readable_errors, server_option
from pullback.cli.display import (
    console,
    describe,
    function_as_json,
    function_table,
    short_digest,
    spell_signature,
)
from pullback.cli.loading import examples_of, load_function, load_program
from pullback.cli.values import parse_labels, parse_types
from pullback.errors import PullbackError
from pullback.program.container import Program

# click keeps the lines of a paragraph that begins with a backspace.
_EXAMPLES: Final = """\b
pullback register model.py:loss --arg 'f64[8]'
pullback register --formula 'sum(x**2)' --arg 'x=f64[8]' --name squares
pullback register model.mlir --argument-name x --argument-name y
pullback register model.onnx"""


@click.command(epilog=_EXAMPLES)
@click.argument("function", metavar="FILE.py:FUNCTION|FILE", required=False)
@click.option("--formula", help="A formula to register instead of a function.")
@click.option(
    "--arg",
    "arguments",
    multiple=True,
    metavar="TYPE",
    help="The type of an argument, such as f64[8]; for a formula with its name, x=f64[8]. Repeat for each.",
)
@click.option(
    "--argument-name",
    "argument_names",
    multiple=True,
    metavar="NAME",
    help="For a file that another tool made: the name of an argument. Repeat for each.",
)
@click.option("--name", help="The name to register under; a function's own if left out.")
@click.option("--label", "labels", multiple=True, metavar="KEY=VALUE", help="A label to find it by.")
@click.option("--description", default="", help="A text for people.")
@click.option(
    "--max-trips",
    type=click.IntRange(min=1),
    help="How many trips a loop makes at most; lays out its reverse mode.",
)
@server_option
def register(
    function: str | None,
    formula: str | None,
    arguments: tuple[str, ...],
    argument_names: tuple[str, ...],
    name: str | None,
    labels: tuple[str, ...],
    description: str,
    max_trips: int | None,
    server: str,
) -> None:
    """Register a function of your own file, traced on your machine, a file of another tool, or a formula.

    A file is StableHLO (text, bytecode, a portable artifact), an ONNX model, or what jax.export serialized.
    """
    if (function is None) == (formula is None):
        raise click.UsageError("give either FILE.py:FUNCTION, a file or --formula")
    tags = parse_labels(labels)
    with readable_errors():
        source, own_name = _source(function or "", formula, arguments, argument_names)
    with connected(server) as client:
        registered = client.register(
            source, name=name or own_name, labels=tags, description=description, max_trips=max_trips
        )
    click.echo(
        f"{registered.name}@{short_digest(registered.details)}  {spell_signature(registered.signature)}"
    )


def _source(
    reference: str, formula: str | None, arguments: tuple[str, ...], argument_names: tuple[str, ...]
) -> tuple[Source, str | None]:
    """What to register, and the name that it has by itself."""
    if formula is not None:
        return _formula(formula, arguments), None
    path = Path(reference).expanduser()
    if not path.is_file():
        return _trace(reference, arguments), reference.rpartition(":")[2] or None
    if arguments:
        raise click.BadParameter(f"{path} says the types of its arguments itself", param_hint="--arg")
    return load_program(path, argument_names), path.stem


def _formula(source: str, arguments: tuple[str, ...]) -> Formula:
    unnamed, named = parse_types(arguments)
    if unnamed:
        raise click.BadParameter(
            f"{unnamed[0]} has no name; a formula's arguments have one, as in x={unnamed[0]}",
            param_hint="--arg",
        )
    return Formula(source, **named)


def _trace(reference: str, arguments: tuple[str, ...]) -> Program:
    unnamed, named = parse_types(arguments)
    function = load_function(reference)
    examples = iter(examples_of([*unnamed, *named.values()]))
    try:
        bound = inspect.signature(function).bind(
            *[next(examples) for _ in unnamed], **{name: next(examples) for name in named}
        )
    except TypeError as error:
        raise click.BadParameter(f"{reference} does not take them: {error}", param_hint="--arg") from error
    try:
        return to_program(function, bound.args)
    except PullbackError:
        raise
    except Exception as error:
        raise click.ClickException(
            f"{reference} cannot be traced: {type(error).__name__}: {error}"
        ) from error


@click.command("list")
@click.option("--label", "labels", multiple=True, metavar="KEY=VALUE", help="Only functions with this label.")
@click.option("--tenant", help="Those of another tenant, as far as you see them; '*' for all tenants.")
@json_option
@server_option
def list_functions(labels: tuple[str, ...], tenant: str | None, as_json: bool, server: str) -> None:
    """List registered functions."""
    with connected(server) as client:
        functions = client.functions(labels=parse_labels(labels), tenant=tenant)
        found = [function.details for function in functions]
    if as_json:
        click.echo(json.dumps([function_as_json(details) for details in found], indent=2))
    elif found:
        console().print(function_table(found))
    else:
        click.echo("No functions.", err=True)


@click.command()
@click.argument("name", metavar="[TENANT/]NAME[@REVISION]")
@json_option
@server_option
def show(name: str, as_json: bool, server: str) -> None:
    """Show a registered function."""
    with connected(server) as client:
        details = client.function(name).details
    if as_json:
        click.echo(json.dumps(function_as_json(details), indent=2))
    else:
        console().print(describe(details))


@click.command()
@click.argument("name")
@server_option
def delete(name: str, server: str) -> None:
    """Delete a registered function with all its revisions."""
    with connected(server) as client:
        client.delete(name)
    click.echo(f"Deleted {name}.")


@click.command()
@click.argument("name")
@click.argument("tenant")
@server_option
def grant(name: str, tenant: str, server: str) -> None:
    """Let another tenant evaluate a function; '*' for all tenants."""
    with connected(server) as client:
        granted = client.grant(name, tenant)
    click.echo(f"{granted.name} is granted to {', '.join(granted.grants)}.")


@click.command()
@click.argument("name")
@click.argument("tenant")
@server_option
def revoke(name: str, tenant: str, server: str) -> None:
    """Take back what was granted to a tenant; '*' for the grant to all."""
    with connected(server) as client:
        left = client.revoke(name, tenant)
    click.echo(f"{left.name} is granted to {', '.join(left.grants) or 'nobody'}.")
