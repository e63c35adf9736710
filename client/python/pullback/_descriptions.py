"""What a server says of functions and of itself, as frozen data; without I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from pullback._evaluation.wants import quantity_name
from pullback._names import short_name, spelled_name
from pullback.program.container import Producer
from pullback.program.derivatives import DerivativeKind, DerivativeSupport
from pullback.program.elements import ElementType
from pullback.program.signature import Signature
from pullback.program.wire import element_from_wire, signature_from_wire
from pullback.v1 import capabilities_pb2, functions_pb2


class Health(StrEnum):
    """Whether a server serves, as the gRPC health protocol (grpc.health.v1) says it."""

    UNKNOWN = "UNKNOWN"
    SERVING = "SERVING"
    NOT_SERVING = "NOT_SERVING"
    SERVICE_UNKNOWN = "SERVICE_UNKNOWN"


@dataclass(frozen=True, slots=True)
class Revision:
    """One revision of a function.

    Attributes:
        digest: The digest of its program: 64 hexadecimal digits.
        created: When it was registered.
        format: The format of its program, such as `stablehlo`.
    """

    digest: str
    created: datetime
    format: str


@dataclass(frozen=True, slots=True)
class FunctionDetails:
    """A registered function, seen at one of its revisions.

    Attributes:
        name: Its name; `tenant/name` where it belongs to another tenant than the caller's.
        revision: The resource name of the revision, `functions/{name}/revisions/{digest}`.
        signature: What goes in and what comes out.
        labels: Labels that the registration gave.
        description: A text for people.
        created: When this revision was registered.
        revisions: All revisions of the function, oldest first.
        format: The format of the program, such as `stablehlo` or `formula`.
        producer: Who made the program.
        derivatives: Which derivatives the function has, with respect to all arguments that can have them;
            without what the server did not try, since it would have taken too long.
        grants: The names of the other tenants that may evaluate it, `*` for all; empty where the caller is
            not told, since it belongs to another tenant.
    """

    name: str
    revision: str
    signature: Signature
    labels: Mapping[str, str]
    description: str
    created: datetime
    revisions: tuple[Revision, ...]
    format: str
    producer: Producer
    derivatives: tuple[DerivativeSupport, ...] = ()
    grants: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """The digest of the revision's program: 64 hexadecimal digits."""
        return short_name(self.revision)


@dataclass(frozen=True, slots=True)
class Device:
    """A device that computes.

    Attributes:
        platform: The platform, such as `cpu` or `cuda`.
        kind: The maker's name for it.
        ordinal: Its number among those of its platform.
    """

    platform: str
    kind: str
    ordinal: int


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits that requests are held to; 0 is no limit.

    Attributes:
        message_bytes: The largest message in bytes, in either direction.
        program_bytes: The largest serialized program in bytes.
        constant_bytes: The largest constant of a program in bytes.
        derivative_order: The highest order of a derivative.
        batch: The most points in one request.
        in_flight: The most requests in flight in the whole server.
    """

    message_bytes: int
    program_bytes: int
    constant_bytes: int
    derivative_order: int
    batch: int
    in_flight: int


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a server supports.

    Attributes:
        server_version: The version of the server.
        versions: Versions of what computes, such as `{"jax": "0.10.2"}`.
        formats: The formats of programs that can be registered.
        program_format_versions: The versions of the program's container that can be read.
        element_types: The element types that can be computed with.
        quantities: What can be wanted, by the names of `Want`.
        devices: The devices.
        limits: The limits that requests are held to.
    """

    server_version: str
    versions: Mapping[str, str]
    formats: tuple[str, ...]
    program_format_versions: tuple[int, ...]
    element_types: tuple[ElementType, ...]
    quantities: tuple[str, ...]
    devices: tuple[Device, ...]
    limits: Limits


_KINDS: Final = {
    functions_pb2.DERIVATIVE_KIND_FORWARD: DerivativeKind.FORWARD,
    functions_pb2.DERIVATIVE_KIND_REVERSE: DerivativeKind.REVERSE,
    functions_pb2.DERIVATIVE_KIND_SECOND_ORDER: DerivativeKind.SECOND_ORDER,
}


def details_from_wire(message: functions_pb2.Function) -> FunctionDetails:
    """The details in a function's message.

    Raises:
        MalformedProgramError: If its signature cannot be read.
    """
    producer = Producer(message.producer.name, message.producer.version, dict(message.producer.dependencies))
    return FunctionDetails(
        name=spelled_name(message.name),
        revision=message.revision,
        signature=signature_from_wire(message.signature),
        labels=dict(message.labels),
        description=message.description,
        created=message.create_time.ToDatetime(UTC),
        revisions=tuple(map(_revision, message.revisions)),
        format=message.format,
        producer=producer,
        derivatives=tuple(_supports(message.derivatives)),
        grants=tuple(message.grants),
    )


def _supports(messages: Iterable[functions_pb2.DerivativeSupport]) -> Iterator[DerivativeSupport]:
    for message in messages:
        # A kind that a newer server knows says nothing here.
        if message.kind in _KINDS:
            yield DerivativeSupport(_KINDS[message.kind], message.supported, message.reason)


def _revision(message: functions_pb2.Revision) -> Revision:
    return Revision(short_name(message.name), message.create_time.ToDatetime(UTC), message.format)


def capabilities_from_wire(message: capabilities_pb2.GetCapabilitiesResponse) -> Capabilities:
    """The capabilities of a message.

    Raises:
        MalformedProgramError: If it names an element type that is unknown here.
    """
    limits = message.limits
    return Capabilities(
        server_version=message.server_version,
        versions=dict(message.versions),
        formats=tuple(message.formats),
        program_format_versions=tuple(message.program_format_versions),
        element_types=tuple(map(element_from_wire, message.element_types)),
        quantities=tuple(map(quantity_name, message.quantities)),
        devices=tuple(Device(part.platform, part.kind, part.ordinal) for part in message.devices),
        limits=Limits(
            limits.message_bytes,
            limits.program_bytes,
            limits.constant_bytes,
            limits.derivative_order,
            limits.batch,
            limits.in_flight,
        ),
    )
