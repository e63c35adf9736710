"""Where an issuer's keys come from: a file, an address, or the issuer's own word of the address.

Everything here blocks, and belongs on a thread.
"""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from pullback_server.tenants.keys import Fetch

_SECONDS: Final = 10.0
_MOST_BYTES: Final = 1 << 20
_DISCOVERY: Final = "/.well-known/openid-configuration"  # OpenID Connect Discovery 1.0, section 4
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class _Direct(urllib.request.HTTPRedirectHandler):
    """Goes nowhere else: what answers in an issuer's place could name keys of its own."""

    def redirect_request(self, *_: Any) -> None:
        """Has a redirection be the error that it is."""


_OPENER: Final = urllib.request.build_opener(_Direct)


def from_file(path: Path) -> Fetch:
    """Keys of a file."""
    return path.read_bytes


def from_address(address: str) -> Fetch:
    """Keys of an address, `https:` or on this machine.

    Raises:
        ValueError: If anybody on the way could give other keys.
    """
    require_safe(address)
    return lambda: _get(address)


def from_issuer(issuer: str) -> Fetch:
    """Keys of the address that the issuer itself tells.

    Raises:
        ValueError: If anybody on the way could give other keys.
    """
    require_safe(issuer)

    def fetch() -> bytes:
        told = json.loads(_get(issuer.rstrip("/") + _DISCOVERY))
        if not isinstance(told, dict) or told.get("issuer") != issuer:
            raise ValueError(f"{issuer}{_DISCOVERY} is of another issuer")
        address = str(told.get("jwks_uri"))
        require_safe(address)
        return _get(address)

    return fetch


def require_safe(address: str) -> None:
    """Makes sure that nobody on the way can give other keys.

    Raises:
        ValueError: If the address is neither `https:` nor `http:` on this machine.
    """
    parts = urlsplit(address)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        return
    raise ValueError(f"{address!r} cannot be trusted; give an address that begins with https://")


def _get(address: str) -> bytes:
    with _OPENER.open(address, timeout=_SECONDS) as response:
        data: bytes = response.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise ValueError(f"{address} has more than {_MOST_BYTES} bytes")
    return data
