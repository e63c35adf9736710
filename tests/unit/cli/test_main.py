"""The command itself, without a server."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

import pullback as package
from pullback.cli.commands import pullback

NOWHERE = ["--server", "127.0.0.1:1"]


def test_the_commands() -> None:
    """A command that comes or goes is a decision, and this list is where it is taken."""
    assert sorted(pullback.commands) == [
        "admin",
        "capabilities",
        "check",
        "delete",
        "demo",
        "eval",
        "grant",
        "graph",
        "health",
        "list",
        "register",
        "registry",
        "revoke",
        "serve",
        "show",
        "token",
        "top",
    ]


def test_the_version() -> None:
    """That of the package."""
    assert CliRunner().invoke(pullback, ["--version"]).output.strip().endswith(package.__version__)


@pytest.mark.parametrize(
    "arguments",
    [
        ["list"],
        ["show", "f"],
        ["eval", "f", "--arg", "1"],
        ["delete", "f"],
        ["capabilities"],
        ["health"],
        ["top"],
        ["grant", "f", "red"],
        ["revoke", "f", "red"],
        ["admin", "tenants"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_no_server(arguments: list[str]) -> None:
    """One readable message on standard error, and exit status 1."""
    result = CliRunner().invoke(pullback, [*arguments, *NOWHERE])
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(
        "Error: no server answers at 127.0.0.1:1; start one with `pullback serve`"
    )


def test_the_server_from_the_environment() -> None:
    """PULLBACK_SERVER is the default."""
    result = CliRunner().invoke(pullback, ["list"], env={"PULLBACK_SERVER": "127.0.0.1:2"})
    assert "127.0.0.1:2" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["register"], "give either FILE.py:FUNCTION, a file or --formula"),
        (["register", "model.py:f", "--formula", "x"], "give either"),
        (["register", "--formula", "x", "--arg", "f64[]"], "as in x=f64[]"),
        (["register", "--formula", "x", "--label", "a"], "is no label"),
        (["eval", "f", "--want", "gradient"], "'gradient' is not one of"),
        (["eval", "f", "--argnums", "x"], "no list of numbers"),
        (["eval"], "Missing argument"),
        (["admin", "clear"], "give either DIGEST or --all"),
        (["admin", "clear", "0" * 8, "--all"], "give either DIGEST or --all"),
    ],
)
def test_usage(arguments: list[str], message: str) -> None:
    """What cannot be understood ends with exit status 2."""
    result = CliRunner().invoke(pullback, arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_type_that_is_none() -> None:
    """An error of the ground is readable too."""
    result = CliRunner().invoke(pullback, ["register", "--formula", "x", "--arg", "x=f12[3]"])
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: 'f12' is no element type")


@pytest.mark.parametrize("missing", ["click", "rich"])
def test_without_its_packages(missing: str) -> None:
    """The light client's command says what to install."""
    code = f"import sys; sys.modules[{missing!r}] = None; from pullback.cli import main; main()"
    result = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (
        1,
        f"pullback needs the package {missing}; run pip install 'pullback[cli]'\n",
    )


@pytest.mark.parametrize(("command", "word"), [("serve", "--listen"), ("registry", "export")])
def test_commands_of_the_server_pass_their_options_on(command: str, word: str) -> None:
    """Their help is the server's own."""
    words = [sys.executable, "-m", "pullback", command, "--help"]
    result = subprocess.run(words, check=False, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert word in result.stdout


def test_every_command_has_a_sentence() -> None:
    """In the overview."""
    context = click.Context(pullback)
    assert all(command.get_short_help_str() for command in pullback.commands.values())
    assert context.get_help()
