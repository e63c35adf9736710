"""Settings of how callers get in: what will not do is told before a server starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pullback_server.configuration.settings import Settings
from pullback_server.services.entrance import Entrance, EntranceError

LOOPBACK = ["127.0.0.1:0"]
ISSUER = {"oidc_issuer": "https://issuer.example", "oidc_audience": "pullback"}
PAIR = {"tls_certificate": "absent.pem", "tls_key": "absent.key"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to be in, with a tenants file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tenants.toml").write_text("[tenants.acme]\n")
    return tmp_path


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"tenants_file": "absent.toml"}, "absent.toml cannot be read"),
        ({"tls_key": "absent.key"}, "TLS takes both tls_certificate and tls_key"),
        ({"tls_client_ca": "absent.pem"}, "TLS takes both"),
        (PAIR, "TLS with the certificate absent.pem"),
        (ISSUER | {"oidc_audience": None}, "takes oidc_audience"),
        (ISSUER | {"oidc_issuer": "http://issuer.example"}, "begins with https://"),
        (ISSUER | {"oidc_jwks_url": "http://keys.example"}, "'http://keys.example' cannot be trusted"),
        ({"oidc_jwks_file": "keys.json"}, "but not oidc_issuer"),
        ({"tenants_file": "tenants.toml", "socket_tenant": "nobody"}, "no tenant 'nobody'"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else None,
)
def test_what_will_not_do(folder: Path, settings: dict[str, Any], words: str) -> None:
    """The message names what is missing or wrong."""
    del folder
    with pytest.raises(EntranceError, match=words):
        Entrance(Settings(**settings), LOOPBACK)


@pytest.mark.parametrize("settings", [{}, {"tenants_file": "tenants.toml"}, ISSUER])
def test_a_network_takes_more_than_that(folder: Path, settings: dict[str, Any]) -> None:
    """Neither nothing nor tokens alone will do where other machines reach the server."""
    del folder
    Entrance(Settings(**settings), LOOPBACK)
    with pytest.raises(EntranceError, match=r"^0\.0\.0\.0:1 can be reached"):
        Entrance(Settings(**settings), [*LOOPBACK, "0.0.0.0:1"])
    assert Entrance(Settings(**settings, insecure=True), ["0.0.0.0:1"]).credentials is None


def test_a_file_without_credentials_lets_nobody_in(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """And the log says so, as nobody may have meant it."""
    del folder
    Entrance(Settings(tenants_file="tenants.toml"), LOOPBACK)
    assert "nobody gets in" in caplog.text
