"""Who calls: a token's bearer, the subject of a client's certificate, or a user of this machine.

What was found of a token is kept for a while under the text that came, so that the next call with it costs a
look-up. What was refused is never kept.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from pullback_server.errors import Reason, ServiceError, service_error
from pullback_server.services.context import Context
from pullback_server.tenants.callers import Caller
from pullback_server.tenants.claims import Verifier, untrusted
from pullback_server.tenants.current import CurrentDirectory
from pullback_server.tenants.identity import Identity

HEADER: Final = "authorization"
"""The metadata with a token."""

_SCHEME: Final = "bearer"
_MOST_KEPT: Final = 4096
# So often a token is looked into again, whether or not anything is known to have changed.
_KEPT_SECONDS: Final = 300.0
_FOREVER: Final = float("inf")
_SAID: Final = (
    "give a token, with pullback.connect(address, token=...), PULLBACK_TOKEN for the command line, or the "
    "metadata `authorization: Bearer ...`; `pullback token` makes one"
)


@dataclass(frozen=True, slots=True)
class Kept:
    """What was found of a token.

    Attributes:
        identity: Whose it is.
        until: Until when that need not be looked into again, in seconds since 1970.
    """

    identity: Identity
    until: float


class Authentication:
    """Finds out who calls.

    Args:
        current: What is known of tenants.
        verifier: Says whose JWTs are; None where there is no issuer.
        local: Who calls over a Unix domain socket without a token; None where they are nobody.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        current: CurrentDirectory,
        verifier: Verifier | None = None,
        local: Caller | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._current = current
        self._verifier = verifier
        self._local = None if local is None else Identity(local)
        self._clock = clock
        self._kept: dict[object, Kept] = {}
        current.when_replaced(self._kept.clear)
        if verifier is not None:
            # While they are fetched, tokens are still taken by the keys from before.
            verifier.when_keys_replaced(self._kept.clear)

    def known(self, header: object) -> Identity | None:
        """Whose a token is that came before, if that still holds; never waits.

        Args:
            header: The whole text, with its scheme.
        """
        kept = self._kept.get(header)
        return kept.identity if kept is not None and self._clock() < kept.until else None

    def holds(self, header: str | None, identity: Identity) -> bool:
        """Whether what a caller showed still holds, as far as the directory can say."""
        directory = self._current.directory
        if identity.issued:
            return identity.caller.tenant in directory
        if header is not None:
            return directory.identify(_secret(header)) == identity
        if identity == self._local:
            return self._has(identity.caller)
        return directory.by_certificate((identity.caller.subject,)) == identity

    async def identify(self, header: str | None, context: Context) -> Identity:
        """Who calls.

        Args:
            header: The token with its scheme, as it came; None where none did.
            context: The call.

        Raises:
            ServiceError: UNAUTHENTICATED if nobody who is known, PERMISSION_DENIED if of no known tenant,
                NOT_READY if the keys of the issuer cannot be had.
        """
        if header is None:
            return self._peer(context)
        identity = await self._bearer(_secret(header))
        self._keep(header, identity)
        return identity

    async def _bearer(self, secret: str) -> Identity:
        identity = self._current.directory.identify(secret)
        if identity is None:
            if self._verifier is None:
                raise untrusted("it is none of this server's; it may have been withdrawn or cut off")
            identity = await self._verifier.identify(secret)
        who = identity.caller
        if identity.expires is not None and identity.expires <= self._clock():
            raise untrusted(f"{who.subject!r} has expired; get a new one")
        # The one of now: it may have been replaced while keys were fetched.
        if who.tenant not in self._current.directory:
            raise _homeless("the token is valid", who)
        return identity

    def _peer(self, context: Context) -> Identity:
        if self._local is not None and context.peer().startswith("unix:"):
            if not self._has(self._local.caller):
                raise _homeless("the socket lets in without a token", self._local.caller)
            return self._local
        subjects = tuple(_subjects(context))
        identity = self._current.directory.by_certificate(subjects)
        if identity is None:
            raise _nobody(subjects)
        return identity

    def _has(self, local: Caller) -> bool:
        """Whether who calls over a socket is of a tenant that there is still, or need not be of one."""
        return not local.tenant or local.tenant in self._current.directory

    def _keep(self, header: str, identity: Identity) -> None:
        end = _FOREVER if identity.expires is None else identity.expires
        if len(self._kept) >= _MOST_KEPT:
            del self._kept[next(iter(self._kept))]
        self._kept[header] = Kept(identity, min(end, self._clock() + _KEPT_SECONDS))


def _secret(header: str) -> str:
    scheme, _, secret = header.partition(" ")
    if scheme.lower() != _SCHEME:
        raise service_error(
            Reason.UNAUTHENTICATED,
            f"the metadata {HEADER!r} has no bearer token; write `{HEADER}: Bearer ` and then the token",
        )
    return secret.strip()


def _subjects(context: Context) -> Iterator[str]:
    """The names in the client's certificate: URIs and DNS names, or the common name if it has no others."""
    known = context.auth_context()
    alternatives = known.get("x509_subject_alternative_name")
    keys = ("peer_uri", "peer_dns") if alternatives else ("x509_common_name",)
    names = (name for key in keys for name in known.get(key, ()))
    return (name.decode(errors="replace") for name in names)


def _homeless(why: str, who: Caller) -> ServiceError:
    return service_error(
        Reason.PERMISSION_DENIED,
        f"{why}, but the server has no tenant {who.tenant!r}; have it added to the tenants file",
        tenant=who.tenant,
    )


def _nobody(subjects: tuple[str, ...]) -> ServiceError:
    if not subjects:
        return service_error(Reason.UNAUTHENTICATED, f"the call has no credentials; {_SAID}")
    return service_error(
        Reason.UNAUTHENTICATED,
        f"the client's certificate, of {', '.join(subjects)[:300]}, is no tenant's; have it added to the "
        f"tenants file, or {_SAID}",
    )
