"""One server that asks for tokens over TLS, and what it needs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e.identity.certifying import Authority
from e2e.identity.guarded import AUDIENCE, ISSUER, TOKENS, Guarded, Issuer, serving, tenants, until_serving

import pullback


@pytest.fixture(scope="package")
def authority() -> Authority:
    """The authority that everybody trusts."""
    return Authority("ours")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Path:
    """A folder with the server's certificate, and its tenants."""
    folder = tmp_path_factory.mktemp("identity")
    authority.server().write(folder / "server.pem", folder / "server.key")
    (folder / "ca.pem").write_bytes(authority.certificate)
    (folder / "tenants.toml").write_text(tenants())
    return folder


@pytest.fixture(scope="module")
def issuer(folder: Path) -> Issuer:
    """The issuer of JWTs."""
    return Issuer(folder / "keys.json")


@pytest.fixture(scope="module")
def server(folder: Path, issuer: Issuer) -> Iterator[Guarded]:
    """A server that knows tokens and JWTs, on a port with TLS and on a socket; with a function."""
    del issuer  # its keys are in the folder
    flags = [
        f"--listen=127.0.0.1:0,unix:{folder}/socket",
        f"--tls-certificate={folder}/server.pem",
        f"--tls-key={folder}/server.key",
        f"--tenants-file={folder}/tenants.toml",
        f"--oidc-issuer={ISSUER}",
        f"--oidc-audience={AUDIENCE}",
        f"--oidc-jwks-file={folder}/keys.json",
        "--oidc-leeway-seconds=0",
    ]
    with serving(folder, *flags) as server:
        tls = pullback.Tls(ca=folder / "ca.pem")
        with pullback.connect(server.address, tls=tls, token=TOKENS["register"]) as client:
            until_serving(client)
            client.register(pullback.Formula("sum(x**2)", x="f64[3]"), name="squares")
        yield server
