"""The command that shows what a function or its derivatives compute."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, cast, get_args

import click

from pullback._evaluation.wants import Quantity, Want
from pullback.cli.connection import connected, json_option, server_option
from pullback.cli.values import parse_argnums, parse_sizes
from pullback.graphs.data import Graph
from pullback.graphs.drawing import DrawingError

_FORMATS: Final[Mapping[str, Callable[[Graph], str]]] = {
    ".txt": Graph.text,
    ".dot": Graph.dot,
    ".gv": Graph.dot,
    ".json": Graph.json,
    ".svg": Graph.svg,
}
# click keeps the lines of a paragraph that begins with a backspace.
_EXAMPLES: Final = """\b
pullback graph loss --of grad -o graph.svg
pullback graph loss --of hessian --depth 0 --merge --compiled"""


@click.command("graph", epilog=_EXAMPLES)
@click.argument("name", metavar="NAME[@REVISION]")
@click.option(
    "--of",
    "quantities",
    multiple=True,
    type=click.Choice(get_args(Quantity)),
    help="Of what; the value if left out. Repeat for several that share one evaluation.",
)
@click.option("--argnums", help="As in JAX: 0 for a bare derivative, 0,1 for several.")
@click.option("--order", type=click.IntRange(min=1), help="The order of --of derivative.")
@click.option("--batch", type=click.IntRange(min=0), help="The number of points; left out, a single one.")
@click.option(
    "--shared", multiple=True, metavar="ARGUMENT", help="With --batch: an argument that is not batched."
)
@click.option(
    "--size", "sizes", multiple=True, metavar="SYMBOL=N", help="The size of a symbol of the signature."
)
@click.option(
    "--depth", type=click.IntRange(min=0), help="How deep into loops, branches and calls; 0 is not."
)
@click.option("--merge", is_flag=True, help="Leave out conversions, broadcasts, reshapes and their like.")
@click.option("--compiled", is_flag=True, help="Give the compiler's own analysis beside the estimate.")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help=f"Write a file, in the format of its ending: {', '.join(_FORMATS)}.",
)
@json_option
@server_option
def graph(
    name: str,
    quantities: tuple[str, ...],
    argnums: str | None,
    order: int | None,
    batch: int | None,
    shared: tuple[str, ...],
    sizes: tuple[str, ...],
    depth: int | None,
    merge: bool,
    compiled: bool,
    output: Path | None,
    as_json: bool,
    server: str,
) -> None:
    """Show the operations of a function or its derivatives, and what they cost."""
    write = _writer(output)
    with connected(server) as client:
        found = client.function(name).graph(
            [_want(quantity, order) for quantity in quantities or ("value",)],
            argnums=parse_argnums(argnums),
            batch=batch,
            shared=shared,
            sizes=parse_sizes(sizes),
            depth=depth,
            merge=merge,
            compiled=compiled,
        )
        if output is not None:
            write(found, output)
    if as_json:
        click.echo(found.json())
    elif output is None:
        click.echo(found.text(), nl=False)


def _want(quantity: str, order: int | None) -> Want:
    known = cast("Quantity", quantity)
    return Want(known, order=order or 0) if known == "derivative" else Want(known)


def _writer(output: Path | None) -> Callable[[Graph, Path], None]:
    """Writes a graph in the format of a file's ending; an ending that is unknown is refused at once."""
    show = _FORMATS.get(output.suffix.lower()) if output is not None else Graph.text
    if show is None:
        raise click.BadParameter(
            f"{output} has none of the endings {', '.join(_FORMATS)}, which say the format",
            param_hint="--output",
        )

    def write(found: Graph, path: Path) -> None:
        try:
            path.write_text(show(found), encoding="utf-8")
        except DrawingError as error:
            raise click.ClickException(str(error)) from error

    return write
