"""The commands, put together."""

from __future__ import annotations

import click

import pullback as package
from pullback.cli.administration import admin
from pullback.cli.checking import check
from pullback.cli.evaluation import evaluate
from pullback.cli.functions import delete, grant, list_functions, register, revoke, show
from pullback.cli.graphs import graph
from pullback.cli.servers import capabilities, demo, health, registry, serve
from pullback.cli.tokens import token
from pullback.cli.top import top


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package.__version__, prog_name="pullback")
def pullback() -> None:
    """Gradients, Jacobians and Hessians of any function, over gRPC."""


for _command in (
    serve,
    registry,
    register,
    list_functions,
    show,
    evaluate,
    graph,
    check,
    delete,
    grant,
    revoke,
    admin,
    health,
    capabilities,
    token,
    top,
    demo,
):
    pullback.add_command(_command)
