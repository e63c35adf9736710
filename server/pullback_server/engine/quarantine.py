"""The quarantine: programs that have killed workers, and are refused until an administrator clears them.

They are refused to the tenant whose requests did it: what another one asks of the same program may be
harmless, and nobody can have a function refused to its owner by what it asks of it.

Kept in one small file, which is replaced as a whole, so that a restart of the front does not set them free.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from pathlib import Path
from typing import Final

import msgspec

from pullback_server.errors import Reason, ServiceError, service_error
from pullback_server.model.functions import EVERY_TENANT
from pullback_server.registry.files import write_atomically

_log = logging.getLogger(__name__)

_MOST_ENTRIES: Final = 1024

_Key = tuple[str, str]
"""The digest of a program, and a tenant."""


class Entry(msgspec.Struct, frozen=True):
    """What is known of a program that has killed workers.

    Attributes:
        digest: The program.
        deaths: How many deaths it is certainly to blame for.
        why: How the last of these came about.
        since: When that was, in seconds since 1970.
        quarantined: Whether the program is refused.
        tenant: Whose requests did it; empty on a server without identities, where all are one tenant.
    """

    digest: str
    deaths: int
    why: str
    since: float
    quarantined: bool
    tenant: str = ""

    @property
    def key(self) -> _Key:
        """What is refused, and to whom."""
        return self.digest, self.tenant


class Quarantine:
    """Counts the deaths that programs are to blame for, and refuses those that have too many.

    Args:
        file: Where it is kept; nowhere where left out.
        deaths: So many deaths put a program into quarantine; 0 for never.
        most: How many programs are remembered; those whose deaths are longest ago go first.
    """

    def __init__(self, file: Path | None = None, deaths: int = 2, most: int = _MOST_ENTRIES) -> None:
        self._file = file
        self._deaths = deaths
        self._most = most
        self._lock = threading.Lock()
        self._entries = _read(file)
        self._refused = {key for key, entry in self._entries.items() if entry.quarantined}

    @property
    def count(self) -> int:
        """How many programs are refused."""
        return len(self._refused)

    @property
    def empty(self) -> bool:
        """Whether nothing is refused."""
        return not self._refused

    def check(self, digest: str, tenant: str = "") -> None:
        """Lets a program pass.

        Args:
            digest: The program.
            tenant: Who asks.

        Raises:
            QuarantineError: QUARANTINED if it is refused to this tenant, or to all.
        """
        for key in ((digest, tenant), (digest, "")):
            if key in self._refused and (entry := self._entries.get(key)):
                raise self._refusal(entry)

    def refuses(self, digest: str, tenant: str = "") -> bool:
        """Whether `check` would let a program not pass."""
        return not self._refused.isdisjoint({(digest, tenant), (digest, "")})

    def blame(self, digest: str, why: str, tenant: str = "") -> None:
        """Takes note of a death that a program is certainly to blame for.

        Args:
            digest: The program.
            why: How the worker died.
            tenant: Who asked for what it died of; where that were several, nobody is blamed.
        """
        if tenant == EVERY_TENANT:
            return
        key = digest, tenant
        with self._lock:
            before = self._entries.pop(key, None)
            deaths = 1 + (before.deaths if before else 0)
            quarantined = 0 < self._deaths <= deaths
            self._entries[key] = Entry(digest, deaths, why, time.time(), quarantined, tenant)
            if quarantined:
                self._refused.add(key)
            while len(self._entries) > self._most:
                oldest, _ = self._entries.popitem(last=False)
                self._refused.discard(oldest)
            self._write()
        _log.error(
            "program %s killed a worker (%d times now%s): %s",
            digest,
            deaths,
            "; it is quarantined" if quarantined else "",
            why,
        )

    def entries(self) -> tuple[Entry, ...]:
        """Those that are refused, the latest last."""
        with self._lock:
            return tuple(entry for entry in self._entries.values() if entry.quarantined)

    def clear(self, digest: str) -> bool:
        """Forgets what a program did, whoever asked for it; says whether it was refused to anybody."""
        with self._lock:
            forgotten = [entry for entry in self._entries.values() if entry.digest == digest]
            for entry in forgotten:
                del self._entries[entry.key]
                self._refused.discard(entry.key)
            if forgotten:
                self._write()
        return any(entry.quarantined for entry in forgotten)

    def _refusal(self, entry: Entry) -> ServiceError:
        when = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(entry.since))
        return service_error(
            Reason.QUARANTINED,
            f"the program {entry.digest} is quarantined, since it killed {entry.deaths} workers, the last at "
            f"{when}: {entry.why}; mend it, or have an administrator clear it",
            digest=entry.digest,
            deaths=str(entry.deaths),
            why=entry.why,
            since=when,
        )

    def _write(self) -> None:
        """Replaces the file; where that fails, the quarantine holds until the next restart."""
        if self._file is None:
            return
        try:
            write_atomically(self._file, msgspec.json.encode(list(self._entries.values())))
        except OSError:
            _log.exception("the quarantine cannot be written to %s", self._file)


def _read(file: Path | None) -> OrderedDict[_Key, Entry]:
    if file is None or not file.exists():
        return OrderedDict()
    try:
        entries = msgspec.json.decode(file.read_bytes(), type=list[Entry])
    except (OSError, msgspec.MsgspecError):
        _log.exception("the quarantine in %s cannot be read; it begins empty", file)
        return OrderedDict()
    return OrderedDict((entry.key, entry) for entry in entries)
