"""TLS: the server's certificate and key, and the authorities of its clients' certificates.

The files can be replaced while the server runs: connections that are made after a reload have the new ones.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import grpc

_log = logging.getLogger(__name__)


class TlsError(ValueError):
    """The files for TLS cannot be read or do not belong together."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Where they are, all in PEM.

    Attributes:
        certificate: The server's certificate, then those that lead to its authority.
        key: The certificate's private key.
        client_ca: The authorities whose clients may connect, and no others; None lets everybody.
    """

    certificate: Path
    key: Path
    client_ca: Path | None = None


class Certificates:
    """What a server shows to its clients, and asks of them.

    Args:
        files: Where it is.

    Raises:
        TlsError: If they cannot be read or do not belong together.
    """

    def __init__(self, files: TlsFiles) -> None:
        self._files = files
        self._configuration = _read(files)

    def credentials(self) -> grpc.ServerCredentials:
        """The credentials for one port of a server; another one needs its own, as each asks what is new."""
        given = self._configuration

        def newer() -> grpc.ServerCertificateConfiguration | None:
            """What came after the last one; gRPC asks from a thread of its own for each connection."""
            nonlocal given
            if given is self._configuration:
                return None
            given = self._configuration
            return given

        return grpc.dynamic_ssl_server_credentials(
            given,
            # The stubs do not know that None is the answer while there is nothing new.
            newer,  # type: ignore[arg-type]
            require_client_authentication=self._files.client_ca is not None,
        )

    def reread(self) -> Callable[[], None]:
        """Reads the files again.

        Returns:
            What has them serve connections from then on.

        Raises:
            TlsError: If they will not do now.
        """
        configuration = _read(self._files)

        def replace() -> None:
            self._configuration = configuration
            _log.info("new connections get the certificate in %s as it is now", self._files.certificate)

        return replace


def _read(files: TlsFiles) -> grpc.ServerCertificateConfiguration:
    try:
        # gRPC tells of a key that is another's only when clients fail to connect.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(files.certificate, files.key, password=_no_password)
        if files.client_ca is not None:
            context.load_verify_locations(files.client_ca)
        pair = files.key.read_bytes(), files.certificate.read_bytes()
        authorities = None if files.client_ca is None else files.client_ca.read_bytes()
    except (OSError, ValueError) as error:
        raise TlsError(
            f"TLS with the certificate {files.certificate}, the key {files.key} and the clients' authorities "
            f"{files.client_ca} cannot be: {error}"
        ) from error
    return grpc.ssl_server_certificate_configuration([pair], authorities)


def _no_password() -> str:
    """Has a key with a password be an error, where OpenSSL would ask the terminal."""
    raise ValueError("the key has a password; give one without")
