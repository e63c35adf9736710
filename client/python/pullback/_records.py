"""What a server tells its administrators, as frozen data; without I/O."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from pullback._durations import seconds
from pullback._names import spelled_name
from pullback.v1 import administration_pb2 as pb


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant, with what it uses.

    Attributes:
        name: Its name; empty for what was registered while the server knew no identities.
        functions: How many functions it has.
        stored_bytes: The bytes that its programs and constants take.
        in_flight: How many of its requests are in flight.
        requests: How many of its requests were let in since the server's start.
        device_seconds: How long devices have worked for it since then.
        max_functions: The most functions that it may have; None without a limit.
        max_stored_bytes: The most bytes that it may store; None without a limit.
    """

    name: str
    functions: int
    stored_bytes: int
    in_flight: int
    requests: int
    device_seconds: float
    max_functions: int | None
    max_stored_bytes: int | None


@dataclass(frozen=True, slots=True)
class QuarantinedProgram:
    """A program that is refused, since it has killed workers.

    Attributes:
        digest: Its digest.
        deaths: How many workers it has killed.
        cause: How it killed the last one.
        died: When that was.
        functions: The functions that have it, as `name` or `tenant/name`, each with `@` and the digest.
    """

    digest: str
    deaths: int
    cause: str
    died: datetime
    functions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """An evaluation that the server remembers, without its numbers.

    Attributes:
        began: When it began.
        request_id: The id of its call; requests of one stream share it.
        tenant: Whose it is.
        function: The function, as `name` or `tenant/name`, with `@` and the digest; empty if it had none.
        derivative: What was wanted.
        points: The size of the batch; None for a single point.
        seconds: How long it took, or has taken until now.
        queue_seconds: How long it waited for others.
        compile_seconds: How long was compiled for it.
        execute_seconds: How long its run was on the device.
        reason: Why it failed; empty where it did not.
        worker: The worker that ran it; empty where that is not known.
        in_hand: Whether it has not ended.
    """

    began: datetime
    request_id: str
    tenant: str
    function: str
    derivative: str
    points: int | None
    seconds: float
    queue_seconds: float
    compile_seconds: float
    execute_seconds: float
    reason: str
    worker: str
    in_hand: bool


@dataclass(frozen=True, slots=True)
class Collected:
    """What a collection of garbage has removed.

    Attributes:
        uploads: How many uploads that nobody has registered in time.
        blobs: How many programs and constants.
        nbytes: Their bytes.
    """

    uploads: int
    blobs: int
    nbytes: int


@dataclass(frozen=True, slots=True)
class Adopted:
    """What became of functions that were given to a tenant.

    Attributes:
        adopted: The names of those that belong to it now.
        left: The names of those that stay, since it has a function of that name.
    """

    adopted: tuple[str, ...]
    left: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Imported:
    """What was taken over from an archive.

    Attributes:
        functions: How many functions it has.
        changed: How many of them were made or changed.
        blobs: How many programs and constants it has.
        nbytes: Their bytes.
    """

    functions: int
    changed: int
    blobs: int
    nbytes: int


def tenants_from_wire(message: pb.ListTenantsResponse) -> tuple[Tenant, ...]:
    """The tenants of a message."""
    return tuple(map(_tenant, message.tenants))


def quarantine_from_wire(message: pb.ListQuarantineResponse) -> tuple[QuarantinedProgram, ...]:
    """The programs of a message."""
    return tuple(map(_program, message.programs))


def requests_from_wire(message: pb.ListRequestsResponse) -> tuple[RecordedRequest, ...]:
    """The requests of a message, those in hand first."""
    in_hand = (_request(each, in_hand=True) for each in message.in_hand)
    return (*in_hand, *(_request(each, in_hand=False) for each in message.recent))


def collected_from_wire(message: pb.CollectGarbageResponse) -> Collected:
    """What a message says was removed."""
    return Collected(message.uploads, message.blobs, message.bytes)


def adopted_from_wire(message: pb.AdoptFunctionsResponse) -> Adopted:
    """What a message says became of functions."""
    return Adopted(tuple(message.adopted), tuple(message.left))


def imported_from_wire(message: pb.ImportRegistryResponse) -> Imported:
    """What a message says was taken over."""
    return Imported(message.functions, message.changed, message.blobs, message.bytes)


def _tenant(message: pb.Tenant) -> Tenant:
    return Tenant(
        message.name,
        message.functions,
        message.stored_bytes,
        message.in_flight,
        message.requests,
        seconds(message.device_time),
        message.max_functions if message.HasField("max_functions") else None,
        message.max_stored_bytes if message.HasField("max_stored_bytes") else None,
    )


def _program(message: pb.QuarantinedProgram) -> QuarantinedProgram:
    return QuarantinedProgram(
        message.digest,
        message.deaths,
        message.cause,
        message.death_time.ToDatetime(UTC),
        tuple(map(spelled_name, message.revisions)),
    )


def _request(message: pb.RecordedRequest, *, in_hand: bool) -> RecordedRequest:
    return RecordedRequest(
        message.begin_time.ToDatetime(UTC),
        message.request_id,
        message.tenant,
        spelled_name(message.function),
        message.derivative,
        message.points if message.HasField("points") else None,
        seconds(message.duration),
        seconds(message.queue),
        seconds(message.compile),
        seconds(message.execute),
        message.reason,
        message.worker,
        in_hand,
    )
