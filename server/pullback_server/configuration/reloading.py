"""What a server reads anew while it runs: all of it or nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from pullback_server.configuration.settings import Settings

_log = logging.getLogger(__name__)

Apply = Callable[[], object]
"""Has what was read anew be so from now on; cannot fail."""

Part = Callable[[Settings], Apply]
"""Reads what belongs to one part anew, by the settings of now, and changes nothing yet.

Raises an exception whose text tells people what is wrong, if that cannot be.
"""

RELOADABLE: Final = frozenset({"log_level"})
"""The settings that can change while a server runs; their descriptions say so too."""


class Reloading:
    """The parts of a server that can change while it runs.

    Args:
        settings: The settings that it began with.
        reread: Gathers the settings anew; raises ValueError or OSError if they cannot be.
    """

    def __init__(self, settings: Settings, reread: Callable[[], Settings]) -> None:
        self._settings = settings
        self._reread = reread
        self._parts: list[Part] = []

    def add(self, part: Part) -> None:
        """Has a part be read anew with the others."""
        self._parts.append(part)

    def reload(self) -> bool:
        """Reads everything anew, and then has all of it be so; if any of it cannot be, nothing changes.

        Returns:
            Whether it was done. The log says why not.
        """
        try:
            settings = self._reread()
            changes = [part(settings) for part in self._parts]
        except Exception as error:  # noqa: BLE001 -- whatever is wrong with a file, the server goes on as it was
            _log.error("nothing was read anew, and everything stays as it was: %s", error)
            return False
        for change in changes:
            change()
        self._tell_what_waits(settings)
        self._settings = settings
        return True

    def _tell_what_waits(self, settings: Settings) -> None:
        """Names the settings that have changed and take a restart."""
        changed = {
            name for name in Settings.model_fields if getattr(settings, name) != getattr(self._settings, name)
        }
        _log.info("settings and files were read anew")
        if waiting := sorted(changed - RELOADABLE):
            _log.warning("these settings have changed and take a restart: %s", ", ".join(waiting))


def reload_log_level(settings: Settings) -> Apply:
    """Has this process log from another level on; its workers keep theirs."""
    return lambda: logging.getLogger().setLevel(settings.log_level)
