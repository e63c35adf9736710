"""Servers that would be open to a network do not start, unless somebody says so."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from e2e.identity.guarded import command, serving, until_serving

import pullback


def test_what_does_not_start(folder: Path) -> None:
    """The message says what would be open, and the status is that of settings that will not do."""
    flags = ("--listen=127.0.0.1:0,0.0.0.0:0", f"--tenants-file={folder}/tenants.toml")
    done = subprocess.run(command(folder, *flags), capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("pullback: 0.0.0.0:0 can be reached from other machines, and tokens")
    assert "--insecure" in done.stderr


def test_insecure_starts_and_warns(folder: Path) -> None:
    """Who says so is served, and warned."""
    with serving(folder, "--listen=0.0.0.0:0", "--insecure") as server:
        with pullback.connect(server.address.replace("0.0.0.0", "127.0.0.1")) as client:  # noqa: S104 -- what is tested
            until_serving(client)
        assert "INSECURE: 0.0.0.0:0 can be reached" in server.log


def test_a_socket_that_others_open_is_asked_for_tokens(folder: Path) -> None:
    """With a wider mode nobody is an administrator by being on this machine."""
    listen = f"--listen=unix:{folder}/wide"
    usual = (listen, "--socket-mode=660", f"--tenants-file={folder}/tenants.toml")
    with serving(folder, *usual) as server, pullback.connect(server.addresses[0]) as client:
        until_serving(client)
        with pytest.raises(pullback.PermissionDeniedError, match="no credentials"):
            client.capabilities()


def test_a_socket_of_a_tenant(folder: Path) -> None:
    """Who opens it is one of the tenant's callers."""
    flags = (f"--listen=unix:{folder}/acme", "--socket-mode=660", f"--tenants-file={folder}/tenants.toml")
    with (
        serving(folder, *flags, "--socket-tenant=acme", "--socket-role=evaluate") as server,
        pullback.connect(server.addresses[0]) as client,
    ):
        until_serving(client)
        with pytest.raises(pullback.PermissionDeniedError, match="'socket' of the tenant 'acme'"):
            client.delete("f")
