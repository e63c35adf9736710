"""The command that makes tokens. It talks to no server, which learns the hash from its tenants file."""

from __future__ import annotations

import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from typing import Final

import click

from pullback.program.naming import is_name

_ROLES: Final = ("evaluate", "register", "administer")
_PREFIX: Final = "pb_"
"""By which scanners find tokens where none should be."""
_BYTES: Final = 32


@click.command()
@click.argument("name")
@click.option("--tenant", required=True, help="Whose the token is.")
@click.option("--role", type=click.Choice(_ROLES), required=True, help="What its bearer may do.")
@click.option(
    "--days", type=click.IntRange(min=1), help="How long it holds; left out, until it is withdrawn."
)
def token(name: str, tenant: str, role: str, days: int | None) -> None:
    """Make a token, and the lines of the tenants file that have a server know it.

    NAME is what logs and audits call it. The token is shown once: the file has its hash alone.
    """
    for what, word in (("name", name), ("tenant", tenant)):
        if not is_name(word):
            raise click.ClickException(
                f"{word!r} is no {what}; use up to 128 letters, digits, '.', '_' and '-', a letter or digit "
                "first"
            )
    secret = _PREFIX + secrets.token_urlsafe(_BYTES)
    click.echo("The token, for its bearer, and shown only now:", err=True)
    click.echo(secret)
    click.echo("For the server's tenants_file, which it reads again on SIGHUP:", err=True)
    click.echo(f"\n{_lines(name, tenant, role, secret, days)}", err=True)


def _lines(name: str, tenant: str, role: str, secret: str, days: int | None) -> str:
    lines = [
        f'[[tenants."{tenant}".tokens]]',
        f'name = "{name}"',
        f'sha256 = "{hashlib.sha256(secret.encode()).hexdigest()}"',
        f'role = "{role}"',
    ]
    if days is not None:
        end = datetime.now(UTC).replace(microsecond=0) + timedelta(days=days)
        lines.append(f"expires = {end.isoformat()}")
    return "\n".join(lines)
