"""The command that evaluates."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, cast, get_args

import click
import numpy as np

from pullback._results import Results
from pullback._wants import Argnums, Quantity, Want
from pullback.cli.connection import connected, json_option, server_option
from pullback.cli.results import print_result, result_arrays, result_as_json
from pullback.cli.values import fit, parse_argnums, parse_values
from pullback.program.signature import Signature

# click keeps the lines of a paragraph that begins with a backspace.
_EXAMPLES: Final = """\b
pullback eval wave --want value --want grad --arg 1.0
pullback eval loss --want hessian --arg x=@points.npy --output hessians.npz"""


@click.command("eval", epilog=_EXAMPLES)
@click.argument("name", metavar="NAME[@REVISION]")
@click.option(
    "--want",
    "quantities",
    multiple=True,
    type=click.Choice(get_args(Quantity)),
    help="What is wanted; the value if left out. Repeat for several in one pass.",
)
@click.option(
    "--arg",
    "arguments",
    multiple=True,
    metavar="VALUE",
    help="An argument: JSON such as [1, 2, 3], @file.npy or @file.npz, perhaps with its name, x=[1, 2, 3].",
)
@click.option("--argnums", help="As in JAX: 0 for a bare derivative, 0,1 for several.")
@click.option("--order", type=click.IntRange(min=1), help="The order of --want derivative.")
@click.option(
    "--tangent", "tangents", multiple=True, metavar="VALUE", help="For jvp and hvp; repeat for each."
)
@click.option("--cotangent", metavar="VALUE", help="For vjp.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Write an .npz file.")
@json_option
@server_option
def evaluate(
    name: str,
    quantities: tuple[str, ...],
    arguments: tuple[str, ...],
    argnums: str | None,
    order: int | None,
    tangents: tuple[str, ...],
    cotangent: str | None,
    output: Path | None,
    as_json: bool,
    server: str,
) -> None:
    """Evaluate a registered function and its derivatives."""
    wants = [_want(quantity, order) for quantity in quantities or ("value",)]
    numbers = parse_argnums(argnums)
    with connected(server) as client:
        function = client.function(name)
        signature = function.signature
        positional, named = _arguments(signature, arguments)
        results = function.evaluate(
            *positional,
            want=wants,
            argnums=numbers,
            tangents=_tangents(signature, tangents, numbers),
            cotangents=_cotangent(signature, cotangent),
            **named,
        )
        _give(results, output, as_json=as_json)


def _want(quantity: str, order: int | None) -> Want:
    known = cast("Quantity", quantity)
    return Want(known, order=order or 0) if known == "derivative" else Want(known)


def _arguments(signature: Signature, texts: Sequence[str]) -> tuple[list[Any], dict[str, Any]]:
    positional, named = parse_values(texts)
    trees = {argument.name: argument.tree for argument in signature.arguments}
    fitted = [fit(tree, value) for tree, value in zip(trees.values(), positional, strict=False)]
    return (
        [*fitted, *positional[len(fitted) :]],
        {key: fit(trees[key], value) if key in trees else value for key, value in named.items()},
    )


def _tangents(signature: Signature, texts: Sequence[str], argnums: Argnums | None) -> tuple[Any, ...] | None:
    if not texts:
        return None
    values, _ = parse_values(texts)
    every = range(len(signature.arguments)) if argnums is None else argnums
    numbers = (every,) if isinstance(every, int) else every
    trees = [signature.arguments[number].tree for number in numbers if number < len(signature.arguments)]
    fitted = [fit(tree, value) for tree, value in zip(trees, values, strict=False)]
    return (*fitted, *values[len(fitted) :])


def _cotangent(signature: Signature, text: str | None) -> Any:
    if text is None or signature.result is None:
        return None
    (value,), _ = parse_values([text])
    return fit(signature.result.tree, value)


def _give(results: Results, output: Path | None, *, as_json: bool) -> None:
    if output is not None:
        arrays = [result_arrays(key, tree) for key, tree in results.items()]
        np.savez(output, **{path: leaf for part in arrays for path, leaf in part.items()})
    if as_json:
        click.echo(json.dumps({key: result_as_json(tree) for key, tree in results.items()}))
    elif output is None:
        for key, tree in results.items():
            print_result(key, tree)
