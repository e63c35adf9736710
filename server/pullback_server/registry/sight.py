"""Which functions a reader sees: for others there is nothing, not even the word that something is there."""

from __future__ import annotations

from pullback_server.errors import Reason, ServiceError, service_error
from pullback_server.registry.catalogue import Catalogue, Entry
from pullback_server.registry.entries import visible
from pullback_server.registry.names import Key
from pullback_server.registry.nearness import near


class Sight:
    """Looks into a catalogue for its readers: tenants, or None, who sees everything.

    Args:
        catalogue: The functions.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._sorted: tuple[object, list[Key]] = (None, [])

    def seen(self, key: Key, reader: str | None) -> Entry:
        """What a reader sees under a key.

        Raises:
            RequestError: FUNCTION_NOT_FOUND if there is nothing, or nothing that it may see.
            StoredDataError: If the file of a function of its own is damaged.
        """
        own = reader in (key.tenant, None)
        entry = self._catalogue.find(key) if own else self._catalogue.entries.get(key)
        if entry is None or not visible(entry, reader):
            raise self.not_found(key, reader)
        return entry

    def not_found(self, key: Key, reader: str | None) -> ServiceError:
        """The error of a function that is not there, or that the reader may not see: they do not differ."""
        near = self._near(key, reader)
        hint = f'did you mean "{near}"?' if near else "ListFunctions gives the names that there are"
        owner = f" of the tenant {key.tenant!r}" if key.tenant != (reader or "") else ""
        return service_error(
            Reason.FUNCTION_NOT_FOUND,
            f"no function{owner} has the name {key.function!r}; {hint}",
            function=key.function,
        )

    def _near(self, key: Key, reader: str | None) -> str:
        """A name that the reader sees and may have meant; empty if there is none."""
        entries = self._catalogue.entries
        if self._sorted[0] is not entries:
            self._sorted = entries, sorted(entries)
        return near(key, self._sorted[1], lambda other: visible(entries[other], reader))
