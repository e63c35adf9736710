"""What is known of tenants: their shares and limits, and the credentials by which their callers are known.

Frozen data; `reading` makes it from a file. `Directory` looks credentials up and knows no clock: whether an
identity has expired is for those to say who hold it.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from pullback_server.tenants.callers import Caller, Role
from pullback_server.tenants.identity import Identity


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token, of which only the hash is known.

    Attributes:
        name: What it is called in logs and audits.
        sha256: The SHA-256 of the secret as 64 lower-case hexadecimal digits.
        role: What who has it may do.
        expires: When it ceases to hold; None if it does not.
    """

    name: str
    sha256: str
    role: Role
    expires: datetime | None = None


@dataclass(frozen=True, slots=True)
class Certificate:
    """A subject of client certificates that is one of a tenant's callers.

    Attributes:
        subject: A URI or DNS name of the certificate, or its common name where it has no alternative names.
        role: What who has such a certificate may do.
    """

    subject: str
    role: Role


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant.

    Attributes:
        name: Its name; empty on a server without identities.
        weight: Its share of the devices' time, beside those of the others.
        max_in_flight: The most of its requests in flight; None for the server's limit alone.
        requests_per_second: How many of its requests are let in, on average; None without a limit.
        burst: How many may come at once after a pause; None for those of one second.
        max_functions: The most functions that it may have registered; None without a limit.
        max_stored_bytes: The most bytes that its programs and constants may take; None without a limit.
        tokens: Bearer tokens of its callers.
        certificates: Certificates of its callers.
    """

    name: str
    weight: float = 1.0
    max_in_flight: int | None = None
    requests_per_second: float | None = None
    burst: int | None = None
    max_functions: int | None = None
    max_stored_bytes: int | None = None
    tokens: tuple[Token, ...] = ()
    certificates: tuple[Certificate, ...] = ()


class Directory:
    """All that is known of tenants; never changes.

    Args:
        tenants: The tenants, each with another name, and all with different credentials.
        defaults: What holds for tenants that are not among them; None where there are no others.
    """

    def __init__(self, tenants: Iterable[Tenant] = (), defaults: Tenant | None = None) -> None:
        self._tenants: Mapping[str, Tenant] = {tenant.name: tenant for tenant in tenants}
        self._defaults = defaults
        self._tokens = {bytes.fromhex(token.sha256): (tenant, token) for tenant, token in self._all_tokens()}
        self._certificates = {
            certificate.subject: Identity(Caller(tenant.name, certificate.subject, certificate.role))
            for tenant in self
            for certificate in tenant.certificates
        }

    def __iter__(self) -> Iterator[Tenant]:
        """The tenants that it names, in the order of the file."""
        return iter(self._tenants.values())

    def __len__(self) -> int:
        return len(self._tenants)

    def __contains__(self, name: str) -> bool:
        return self._defaults is not None or name in self._tenants

    @property
    def has_credentials(self) -> bool:
        """Whether anybody can be known by it."""
        return bool(self._tokens or self._certificates)

    def tenant(self, name: str) -> Tenant:
        """A tenant; one that is not named has the defaults."""
        known = self._tenants.get(name)
        return known if known is not None else replace(self._defaults or _PLAIN, name=name)

    def identify(self, secret: str) -> Identity | None:
        """Whose a bearer token is, be it expired or not; None if it is nobody's.

        It is looked up by its hash, whose digits tell nothing of a secret of 256 random bits, and compared
        in constant time.
        """
        digest = hashlib.sha256(secret.encode()).digest()
        tenant, token = self._tokens.get(digest, (_PLAIN, _NOBODY))
        if not hmac.compare_digest(digest, bytes.fromhex(token.sha256)):
            return None
        expires = None if token.expires is None else token.expires.timestamp()
        return Identity(Caller(tenant.name, token.name, token.role), expires)

    def by_token(self, secret: str) -> Caller | None:
        """Whose a bearer token is, be it expired or not; None if it is nobody's."""
        identity = self.identify(secret)
        return None if identity is None else identity.caller

    def by_certificate(self, subjects: Iterable[str]) -> Identity | None:
        """Whose a certificate is.

        Args:
            subjects: Its names; the first that is known counts.
        """
        return next((found for name in subjects if (found := self._certificates.get(name))), None)

    def _all_tokens(self) -> Iterator[tuple[Tenant, Token]]:
        return ((tenant, token) for tenant in self for token in tenant.tokens)


_PLAIN: Final = Tenant("")
_NOBODY: Final = Token("", "00" * hashlib.sha256().digest_size, Role.EVALUATE)
EVERYBODY: Final = Directory(defaults=_PLAIN)
"""That of a server without a tenants file: every tenant has the defaults, and nobody has a token."""
