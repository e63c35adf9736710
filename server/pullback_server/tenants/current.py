"""The directory that counts, until a newer one replaces it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from pullback_server.tenants.directory import EVERYBODY, Directory, Tenant
from pullback_server.tenants.reading import TenantsFileError, read_directory

_log = logging.getLogger(__name__)


class CurrentDirectory:
    """Holds the directory of a server; may be read from any thread.

    Args:
        path: The tenants file; None where there is none, and every tenant has the defaults.

    Raises:
        TenantsFileError: If the file will not do.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._directory = EVERYBODY if path is None else read_directory(path)
        self._watchers: list[Callable[[], object]] = []

    @property
    def directory(self) -> Directory:
        """The one that counts now; ask again rather than keep it."""
        return self._directory

    def tenant(self, name: str) -> Tenant:
        """A tenant, as it counts now."""
        return self._directory.tenant(name)

    def when_replaced(self, act: Callable[[], object]) -> None:
        """Has something called after each replacement."""
        self._watchers.append(act)

    def reload(self) -> None:
        """Reads the file again, and takes what it says all at once; one that will not do changes nothing."""
        if self._path is None:
            return
        try:
            self._directory = read_directory(self._path)
        except TenantsFileError as error:
            _log.error("the tenants stay as they were, since their file will not do: %s", error)
            return
        _log.info("read %d tenants from %s", len(self._directory), self._path)
        for act in self._watchers:
            act()
