"""The server that a command talks to, and how its errors reach the terminal."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from pullback._credentials import Tls
from pullback.client import Client, connect
from pullback.errors import PullbackError
from pullback.program.errors import ProgramError

Command = TypeVar("Command", bound=Callable[..., Any])


def server_option(command: Command) -> Command:
    """Adds to a command what says which server it talks to, and how."""
    for option in reversed((_SERVER, *_SECURITY)):
        command = option(command)
    return command


def _noted(name: str, **options: Any) -> Callable[[Command], Command]:
    """An option that `connected` finds by itself, so that no command has to hand it on."""

    def note(context: click.Context, parameter: click.Parameter, value: Any) -> None:
        context.meta[f"{__name__}.{parameter.name}"] = value

    return click.option(name, callback=note, expose_value=False, **options)


def _of_file(name: str, envvar: str, text: str) -> Callable[[Command], Command]:
    kind = click.Path(dir_okay=False, path_type=Path)
    return _noted(name, type=kind, envvar=envvar, show_envvar=True, help=text)


_SERVER: Final = click.option(
    "--server",
    default="localhost:7450",
    envvar="PULLBACK_SERVER",
    show_default=True,
    show_envvar=True,
    help="The server's address, host:port.",
)
_SECURITY: Final = (
    _of_file("--token-file", "PULLBACK_TOKEN_FILE", "A file with your token; PULLBACK_TOKEN is one itself."),
    _noted("--tls", is_flag=True, envvar="PULLBACK_TLS", show_envvar=True, help="Use TLS."),
    _of_file("--ca", "PULLBACK_CA", "Authorities to trust, in PEM, with TLS."),
    _of_file("--certificate", "PULLBACK_CERTIFICATE", "Your own certificate, in PEM, with TLS."),
    _of_file("--key", "PULLBACK_KEY", "The certificate's private key, in PEM."),
    _noted("--insecure", is_flag=True, help="Send a token in plain text over a network."),
)


def json_option(command: Command) -> Command:
    """Adds `--json` to a command."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


@contextmanager
def connected(address: str) -> Iterator[Client]:
    """A client, and errors as one message on standard error and exit status 1."""
    with (
        readable_errors(),
        connect(address, token=_token(), tls=_tls(), insecure=bool(_value("insecure"))) as client,
    ):
        yield client


def _value(name: str) -> Any:
    return click.get_current_context().meta.get(f"{__name__}.{name}")


def _token() -> str | None:
    path = _value("token_file")
    return os.environ.get("PULLBACK_TOKEN") or None if path is None else path.read_text().strip()


def _tls() -> bool | Tls:
    ca, certificate, key = _value("ca"), _value("certificate"), _value("key")
    return Tls(ca, certificate, key) if ca or certificate or key else bool(_value("tls"))


@contextmanager
def readable_errors() -> Iterator[None]:
    """Turns the errors that a user can do something about into one message and exit status 1."""
    try:
        yield
    except (PullbackError, ProgramError, OSError) as error:
        raise click.ClickException(str(error)) from error
