"""The command that evaluates."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, assert_never, cast, get_args

import click
import numpy as np

from pullback._evaluation.results import Results
from pullback._evaluation.wants import Argnums, Mode, Quantity, Want
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
    "--mode",
    "modes",
    multiple=True,
    type=click.Choice(get_args(Mode)),
    help="For jacobian, hessian, hessian_diag, laplacian and derivative; repeat for each, innermost first.",
)
@click.option("--sparse", is_flag=True, help="Give the entries of jacobian and hessian with coordinates.")
@click.option(
    "--directions",
    type=click.IntRange(min=0),
    help="How many tangents or cotangents are given at once, on a leading axis.",
)
@click.option(
    "--tangent", "tangents", multiple=True, metavar="VALUE", help="For jvp, hvp, ggn_vp; repeat for each."
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
    modes: tuple[Mode, ...],
    sparse: bool,
    directions: int | None,
    tangents: tuple[str, ...],
    cotangent: str | None,
    output: Path | None,
    as_json: bool,
    server: str,
) -> None:
    """Evaluate a registered function and its derivatives."""
    options = _Options(order or 0, modes or None, directions, sparse)
    wants = [_want(cast("Quantity", quantity), options) for quantity in quantities or ("value",)]
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


@dataclass(frozen=True, slots=True)
class _Options:
    """What the options say of all quantities together.

    Attributes:
        order: The order of a derivative.
        modes: The modes of what can be given modes.
        directions: The number of tangents or cotangents.
        sparse: Whether a Jacobian or Hessian is sparse.
    """

    order: int
    modes: Sequence[Mode] | None
    directions: int | None
    sparse: bool


def _want(quantity: Quantity, options: _Options) -> Want:
    """A quantity with those of the options that are for it."""
    match quantity:
        case "derivative":
            return Want(quantity, order=options.order, modes=options.modes)
        case "jacobian" | "hessian":
            return Want(quantity, modes=options.modes, sparse=options.sparse)
        case "jacfwd" | "jacrev":
            return Want(quantity, sparse=options.sparse)
        case "hessian_diag" | "laplacian":
            return Want(quantity, modes=options.modes)
        case "jvp" | "vjp" | "hvp" | "ggn_vp":
            return Want(quantity, directions=options.directions)
        case "value" | "grad":
            return Want(quantity)
        case _:
            assert_never(quantity)


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
