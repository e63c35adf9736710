"""Entries of the catalogue: who sees them, what they refer to, and how they get revisions. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from pullback_server.errors import Reason, service_error
from pullback_server.model.functions import Function, Registered, Revision
from pullback_server.registry.catalogue import Entry
from pullback_server.registry.names import function_name, key_of
from pullback_server.registry.records import Registration


def visible(entry: Entry, reader: str | None) -> bool:
    """Whether callers of a tenant may see a function; None sees everything."""
    return reader is None or entry.function.visible_to(reader)


def blobs_of(entries: Iterable[Entry]) -> set[str]:
    """The digests of what is stored for functions: their programs and constants."""
    return {
        blob
        for entry in entries
        for revision in entry.function.revisions
        for blob in (revision.blob, *revision.constants)
    }


def registered(entry: Entry, revision: Revision | None = None) -> Registered:
    """A function at a revision; None is the current one."""
    revision = revision or entry.function.current_revision
    return Registered(
        entry.function, revision, entry.signatures[revision.digest], entry.producers[revision.digest]
    )


def revision_of(function: Function, digest: str) -> Revision:
    """The revision of a function whose digest begins so.

    Raises:
        RequestError: REVISION_NOT_FOUND if there is none, MALFORMED_REQUEST if there are several.
    """
    fitting = [revision for revision in function.revisions if revision.digest.startswith(digest)]
    match fitting:
        case [revision]:
            return revision
        case []:
            raise service_error(
                Reason.REVISION_NOT_FOUND,
                f"{function_name(key_of(function))} has no revision {digest!r}; "
                f"its current revision is {function.current}",
                function=function.name,
                revision=digest,
            )
        case _:
            raise service_error(
                Reason.MALFORMED_REQUEST,
                f"{len(fitting)} revisions of {function_name(key_of(function))} begin with {digest!r}; "
                "give more digits",
                function=function.name,
                revision=digest,
            )


def with_revision(before: Entry | None, registration: Registration, revision: Revision) -> Entry:
    """What a registration makes of an entry, or of none: the revision is current, grants stay as they are."""
    program = registration.program
    function = Function(
        registration.name,
        (revision,),
        revision.digest,
        dict(registration.labels),
        registration.description,
        registration.tenant,
        before.function.grants if before else (),
    )
    signatures = {revision.digest: program.signature}
    producers = {revision.digest: program.producer}
    if before is None:
        return Entry(function, signatures, producers)
    revisions = _added(before.function.revisions, revision)
    return Entry(
        replace(function, revisions=revisions),
        {**before.signatures, **signatures},
        {**before.producers, **producers},
    )


def merged(before: Entry | None, entry: Entry) -> Entry:
    """An entry with the revisions that there were before; all else is as it has it."""
    if before is None:
        return entry
    revisions = {each.digest: each for each in (*before.function.revisions, *entry.function.revisions)}
    return Entry(
        replace(entry.function, revisions=tuple(revisions.values())),
        {**before.signatures, **entry.signatures},
        {**before.producers, **entry.producers},
    )


def _added(revisions: tuple[Revision, ...], new: Revision) -> tuple[Revision, ...]:
    """Revisions with one more; one that was there keeps its place and time, and gets the new bytes."""
    if all(revision.digest != new.digest for revision in revisions):
        return (*revisions, new)
    return tuple(
        replace(revision, blob=new.blob, constants=new.constants)
        if revision.digest == new.digest
        else revision
        for revision in revisions
    )
