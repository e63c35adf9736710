"""The public keys of an issuer of JWTs: fetched off the event loop, kept, and fetched again when they change.

An issuer that cannot be reached never holds up tokens whose key is known: keys are fetched again in the
background, and stay until the new ones are there.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Mapping
from http.client import HTTPException
from typing import Any, Final

import jwt

from pullback_server.errors import Reason, ServiceError, service_error

_log = logging.getLogger(__name__)

RENEWAL_SECONDS: Final = 600.0
"""So often keys are fetched again, so that one which the issuer withdrew ceases to hold."""
_PAUSE_SECONDS: Final = 10.0
# So long after they could not be fetched it is tried again.
_AGAIN_SECONDS: Final = 60.0
"""So long unknown keys have nothing fetched again, whatever callers send."""
_SYMMETRIC: Final = "oct"

Fetch = Callable[[], bytes]
"""Gives a JSON Web Key Set (RFC 7517); may block; raises OSError, ValueError, HTTPException if it cannot."""


class Keys:
    """The keys of an issuer; belongs to one event loop.

    Args:
        fetch: Gives them.
        origin: Where they come from, for messages.
        clock: Seconds that never go back.
        renewal: After how many seconds they are fetched again.
    """

    def __init__(
        self,
        fetch: Fetch,
        origin: str,
        clock: Callable[[], float] = time.monotonic,
        renewal: float = RENEWAL_SECONDS,
    ) -> None:
        self._fetch = fetch
        self._origin = origin
        self._clock = clock
        self._renewal = renewal
        self._keys: Mapping[str, jwt.PyJWK] = {}
        self._tried = float("-inf")
        self._failed = False
        self._fetching: asyncio.Task[None] | None = None
        self._next: asyncio.TimerHandle | None = None
        self._watchers: list[Callable[[], object]] = []

    def when_replaced(self, act: Callable[[], object]) -> None:
        """Has something called whenever keys were fetched."""
        self._watchers.append(act)

    async def key(self, kid: str | None) -> jwt.PyJWK:
        """A key by its id.

        Args:
            kid: The id; None for the only one that there is.

        Raises:
            ServiceError: UNAUTHENTICATED if the issuer has no such key, NOT_READY if it cannot be asked.
        """
        found = self._known(kid)
        if found is None and self._clock() - self._tried >= _PAUSE_SECONDS:
            await asyncio.shield(self.refresh())
            found = self._known(kid)
        elif self._fetching is not None and found is None:
            await asyncio.shield(self._fetching)
            found = self._known(kid)
        if found is None:
            raise self._unknown(kid)
        return found

    def refresh(self) -> asyncio.Task[None]:
        """Begins to fetch the keys, unless they are being fetched; the task ends when that is over.

        From then on they are fetched again and again, for as long as the event loop runs.
        """
        if self._fetching is None:
            self._tried = self._clock()
            self._fetching = asyncio.create_task(self._replace(), name="pullback-keys")
            self._fetching.add_done_callback(self._done)
        return self._fetching

    def renew(self) -> None:
        """Has the keys fetched that there are now: what is under way may have begun before they changed."""
        if self._fetching is None:
            self.refresh()
        else:
            self._fetching.add_done_callback(lambda task: None if task.cancelled() else self.refresh())

    def _known(self, kid: str | None) -> jwt.PyJWK | None:
        if kid is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        return None if kid is None else self._keys.get(kid)

    async def _replace(self) -> None:
        try:
            self._keys = read_keys(await asyncio.to_thread(self._fetch))
        except (OSError, ValueError, HTTPException) as error:
            self._failed = True
            _log.error(
                "the keys of %s cannot be fetched, those from before stay: %s",
                self._origin,
                error or "no answer",
            )
            return
        self._failed = False
        for act in self._watchers:
            act()
        _log.info("fetched %d keys from %s", len(self._keys), self._origin)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._fetching = None
        if self._next is not None:
            self._next.cancel()
        if not task.cancelled():
            pause = min(self._renewal, _AGAIN_SECONDS) if self._failed else self._renewal
            self._next = task.get_loop().call_later(pause, self.refresh)

    def _unknown(self, kid: str | None) -> ServiceError:
        if self._failed:
            return service_error(
                Reason.NOT_READY,
                f"whether the token holds cannot be said, since the keys of {self._origin} cannot be fetched "
                "now; try again",
                retry_delay=_PAUSE_SECONDS,
            )
        which = "names no key, and there are several" if kid is None else f"names the key {kid[:100]!r}"
        return service_error(
            Reason.UNAUTHENTICATED,
            f"the token {which}; use one that the issuer signed with a key of {self._origin}",
        )


def read_keys(text: bytes) -> dict[str, jwt.PyJWK]:
    """The keys of a JSON Web Key Set by their ids; those that are not for signatures are left out.

    Raises:
        ValueError: If it is none, or has no key that will do.
    """
    entries = json.loads(text)
    listed = entries.get("keys") if isinstance(entries, dict) else None
    if not isinstance(listed, list):
        raise ValueError('it is no JSON Web Key Set, which has a list under "keys"')  # noqa: TRY004 -- a fault of the data
    keys = {str(entry.get("kid", "")): key for entry in listed if (key := _key(entry)) is not None}
    if not keys:
        raise ValueError("it has no key for signatures of a kind that can be used")
    return keys


def _key(entry: Any) -> jwt.PyJWK | None:
    if not isinstance(entry, dict) or entry.get("use", "sig") != "sig" or entry.get("kty") == _SYMMETRIC:
        return None
    try:
        return jwt.PyJWK(entry)
    except (ValueError, TypeError, jwt.PyJWTError) as error:
        _log.warning("a key of an issuer is left out: %s", error)
        return None
