"""How callers get in, by the settings: what the server shows, what it asks for, and what can be read anew."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import grpc

from pullback_server.configuration.settings import Settings
from pullback_server.services.authentication import Authentication
from pullback_server.services.calls import OpenCalls
from pullback_server.services.door import Door
from pullback_server.services.exposure import ExposureError, check_exposure
from pullback_server.services.lasting import Streams
from pullback_server.services.options import largest_message
from pullback_server.services.patience import Patience
from pullback_server.services.punctual import Hall
from pullback_server.services.tls import Certificates, TlsError, TlsFiles
from pullback_server.tenants.callers import ANYBODY, Caller, Role
from pullback_server.tenants.claims import Trust, Verifier
from pullback_server.tenants.current import CurrentDirectory
from pullback_server.tenants.fetching import from_address, from_file, from_issuer
from pullback_server.tenants.keys import Fetch, Keys
from pullback_server.tenants.reading import TenantsFileError

_log = logging.getLogger(__name__)

_OTHERS: Final = 0o077
# A tenant's streams leave one call in two to others.
_PARTS: Final = 2


class EntranceError(Exception):
    """The settings of how callers get in will not do."""


class Entrance:
    """How callers get in.

    Args:
        settings: The server's settings.
        addresses: Where it is to listen.

    Raises:
        EntranceError: If they will not do, or if files that they name will not.
    """

    def __init__(self, settings: Settings, addresses: Sequence[str]) -> None:
        try:
            self.current = CurrentDirectory(_expanded(settings.tenants_file))
            self._certificates = _certificates(settings)
            self._keys = _keys(settings)
            check_exposure(
                addresses,
                encrypted=self._certificates is not None,
                asks=self._asks(settings) or settings.tls_client_ca is not None,
                insecure=settings.insecure,
            )
        except (TenantsFileError, TlsError, ExposureError, ValueError) as error:
            raise EntranceError(str(error)) from error
        self._patience = Patience(settings.max_silent_seconds, largest_message(settings))
        self._most_streams = max(1, settings.max_concurrent_rpcs // _PARTS)
        self._authentication = self._authenticating(settings) if self._asks(settings) else None

    @property
    def credentials(self) -> grpc.ServerCredentials | None:
        """The credentials for ports; None without TLS."""
        return None if self._certificates is None else self._certificates.credentials()

    def door(self, server: grpc.aio.Server, calls: OpenCalls) -> Door | Hall:
        """What the handlers of services are added to."""
        if self._authentication is None:
            return Hall(server, self._patience, calls)
        streams = Streams(self._authentication, self.current, calls, self._most_streams)
        return Door(server, self._authentication, streams, calls, self._patience)

    def start(self) -> None:
        """Begins to fetch the keys of the issuer, so that they are there when the first token is."""
        if self._keys is not None:
            self._keys.refresh()

    def reread(self, settings: Settings) -> Callable[[], None]:
        """Reads files again; gives what has them count.

        Raises:
            TenantsFileError: If the tenants file will not do now.
            TlsError: If the files for TLS will not do now.
        """
        del settings  # which files there are takes a restart
        replacing = [self.current.reread()]
        if self._certificates is not None:
            replacing.append(self._certificates.reread())

        def replace() -> None:
            for act in replacing:
                act()
            if self._keys is not None:
                self._keys.renew()

        return replace

    def _asks(self, settings: Settings) -> bool:
        return settings.tenants_file is not None or self._keys is not None

    def _authenticating(self, settings: Settings) -> Authentication:
        if self._keys is None and not self.current.directory.has_credentials:
            _log.warning("%s has neither tokens nor certificates: nobody gets in", settings.tenants_file)
        verifier = None if self._keys is None else Verifier(_trust(settings), self._keys)
        return Authentication(self.current, verifier, _local(settings, self.current))


def _certificates(settings: Settings) -> Certificates | None:
    certificate, key = _expanded(settings.tls_certificate), _expanded(settings.tls_key)
    if certificate is None and key is None and settings.tls_client_ca is None:
        return None
    if certificate is None or key is None:
        raise TlsError("TLS takes both tls_certificate and tls_key")
    return Certificates(TlsFiles(certificate, key, _expanded(settings.tls_client_ca)))


def _keys(settings: Settings) -> Keys | None:
    if settings.oidc_issuer is None:
        if settings.oidc_jwks_url or settings.oidc_jwks_file:
            raise EntranceError("the keys of an issuer are given, but not oidc_issuer")
        return None
    if not settings.oidc_audience:
        raise EntranceError(
            "oidc_issuer takes oidc_audience, too: without it, every token that the issuer made for anybody "
            "would be taken"
        )
    fetch, origin = _source(settings, settings.oidc_issuer)
    return Keys(fetch, origin)


def _source(settings: Settings, issuer: str) -> tuple[Fetch, str]:
    if (path := _expanded(settings.oidc_jwks_file)) is not None:
        return from_file(path), str(path)
    if settings.oidc_jwks_url is not None:
        return from_address(settings.oidc_jwks_url), settings.oidc_jwks_url
    return from_issuer(issuer), issuer


def _trust(settings: Settings) -> Trust:
    roles = tuple(name.strip() for name in settings.oidc_role_claim.split(","))
    issuer, audience = settings.oidc_issuer or "", settings.oidc_audience or ""
    return Trust(issuer, audience, settings.oidc_tenant_claim, roles, settings.oidc_leeway_seconds)


def _local(settings: Settings, current: CurrentDirectory) -> Caller | None:
    """Who calls over a Unix domain socket without a token."""
    if settings.socket_tenant is not None:
        if settings.socket_tenant not in current.directory:
            raise EntranceError(
                f"the server has no tenant {settings.socket_tenant!r}, which socket_tenant names; add it to "
                f"{settings.tenants_file}"
            )
        return Caller(settings.socket_tenant, "socket", Role(settings.socket_role))
    return None if int(settings.socket_mode, 8) & _OTHERS else ANYBODY


def _expanded(path: Path | None) -> Path | None:
    return None if path is None else path.expanduser()
