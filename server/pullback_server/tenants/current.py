"""The directory that counts, until a newer one replaces it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from pullback_server.tenants.directory import EVERYBODY, Directory, Tenant
from pullback_server.tenants.reading import read_directory

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

    def reread(self) -> Callable[[], None]:
        """Reads the file again.

        Returns:
            What has it count, all at once; until then nothing has changed.

        Raises:
            TenantsFileError: If it will not do now.
        """
        directory = self._directory if self._path is None else read_directory(self._path)

        def replace() -> None:
            self._directory = directory
            _log.info(
                "%d tenants have %d tokens", len(directory), sum(len(each.tokens) for each in directory)
            )
            for act in self._watchers:
                act()

        return replace
