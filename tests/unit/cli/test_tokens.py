"""`pullback token`: a secret, and the lines by which a server knows it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pullback.cli.commands import pullback
from pullback_server.tenants.callers import Caller, Role
from pullback_server.tenants.directory import Directory
from pullback_server.tenants.reading import read_directory


def made(*options: str) -> Result:
    """What the command says."""
    return CliRunner().invoke(pullback, ["token", *options])


def read(result: Result, folder: Path) -> Directory:
    """The directory that has the lines which the command printed."""
    lines = result.stderr.partition("\n[[")[2]
    (folder / "tenants.toml").write_text("[[" + lines)
    return read_directory(folder / "tenants.toml")


def test_the_lines_are_those_of_the_secret(tmp_path: Path) -> None:
    """The secret alone is on standard output; a server that reads the lines knows it."""
    result = made("ci", "--tenant", "acme.lab", "--role", "register")
    secret = result.stdout.strip()
    assert secret.startswith("pb_")
    assert secret not in result.stderr
    directory = read(result, tmp_path)
    assert directory.by_token(secret) == Caller("acme.lab", "ci", Role.REGISTER)


def test_no_two_secrets_are_the_same() -> None:
    """Each has 256 bits of its own."""
    secrets = {made("ci", "--tenant", "acme", "--role", "evaluate").stdout for _ in range(5)}
    assert {len(secret.strip()) for secret in secrets} == {len("pb_") + 43}
    assert len(secrets) == 5


def test_a_token_may_end(tmp_path: Path) -> None:
    """Its days are counted from now."""
    result = made("ci", "--tenant", "acme", "--role", "administer", "--days", "3")
    identity = read(result, tmp_path).identify(result.stdout.strip())
    assert identity is not None
    assert identity.expires is not None
    assert 2.9 * 86400 < identity.expires - datetime.now(UTC).timestamp() < 3.1 * 86400


@pytest.mark.parametrize("wrong", [("a b", "acme"), ("ci", 'ac"me'), ("ci", "")])
def test_names_that_no_file_could_have(wrong: tuple[str, str]) -> None:
    """What would break the file, or the names of resources, is refused."""
    name, tenant = wrong
    result = made(name, "--tenant", tenant, "--role", "evaluate")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "use up to 128 letters" in result.stderr
