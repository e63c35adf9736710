"""Whether a server may listen where it is told to: on a network only if nobody can listen in or walk in."""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Iterable

from pullback.memory.handover import socket_path

_log = logging.getLogger(__name__)


class ExposureError(Exception):
    """The server would be open to a network."""


def check_exposure(addresses: Iterable[str], *, encrypted: bool, asks: bool, insecure: bool) -> None:
    """Makes sure that addresses outside this machine are guarded, or that somebody wants them as they are.

    Args:
        addresses: Where the server is to listen.
        encrypted: Whether it speaks TLS there.
        asks: Whether it asks who calls: for a token, or for a certificate.
        insecure: Whether to go on with a warning.

    Raises:
        ExposureError: If they are not, and nobody does.
    """
    open_ = [address for address in addresses if not is_of_this_machine(address)]
    danger = _danger(encrypted=encrypted, asks=asks)
    if not open_ or danger is None:
        return
    where = ", ".join(open_)
    if not insecure:
        raise ExposureError(
            f"{where} can be reached from other machines, and {danger}. Give tls_certificate and tls_key, "
            "and tenants_file or oidc_issuer (docs/security.md tells how); or listen on 127.0.0.1; or say "
            "--insecure where the network itself keeps others out"
        )
    _log.warning("INSECURE: %s can be reached from other machines, and %s", where, danger)


def _danger(*, encrypted: bool, asks: bool) -> str | None:
    match encrypted, asks:
        case True, True:
            return None
        case True, False:
            return "whoever reaches it may do everything, since the server does not ask who calls"
        case False, True:
            return "tokens and data would cross the network without encryption, for others to read and use"
    return "whoever reaches it may do everything, and all data crosses the network without encryption"


def is_of_this_machine(address: str) -> bool:
    """Whether only this machine reaches an address: a Unix domain socket, or a loopback address."""
    if socket_path(address) is not None:
        return True
    host = address.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
