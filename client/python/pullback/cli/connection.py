"""The server that a command talks to, and how its errors reach the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click

from pullback.client import Client, connect
from pullback.errors import PullbackError
from pullback.program.errors import ProgramError

Command = TypeVar("Command", bound=Callable[..., Any])


def server_option(command: Command) -> Command:
    """Adds `--server` to a command."""
    return click.option(
        "--server",
        default="localhost:7450",
        envvar="PULLBACK_SERVER",
        show_default=True,
        show_envvar=True,
        help="The server's address, host:port.",
    )(command)


def json_option(command: Command) -> Command:
    """Adds `--json` to a command."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


@contextmanager
def connected(address: str) -> Iterator[Client]:
    """A client, and errors as one message on standard error and exit status 1."""
    with readable_errors(), connect(address) as client:
        yield client


@contextmanager
def readable_errors() -> Iterator[None]:
    """Turns the errors that a user can do something about into one message and exit status 1."""
    try:
        yield
    except (PullbackError, ProgramError, OSError) as error:
        raise click.ClickException(str(error)) from error
