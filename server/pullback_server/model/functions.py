"""What is registered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from pullback.program.container import Producer
from pullback.program.derivatives import DerivativeSupport
from pullback.program.signature import Signature
from pullback.program.tensors import TensorType

EVERY_TENANT: Final = "*"
"""Whom a function is granted to that all tenants may evaluate."""


@dataclass(frozen=True, slots=True)
class Revision:
    """One program under a name.

    Attributes:
        digest: The program's digest, its address.
        blob: The digest of the stored bytes.
        format: The name of the program's format.
        created: When it was registered, in seconds since 1970 (UTC).
        constants: The digests of its constants, which are blobs as well.
        derivatives: Which derivatives it has; without what was not tried.
    """

    digest: str
    blob: str
    format: str
    created: float
    constants: tuple[str, ...] = ()
    derivatives: tuple[DerivativeSupport, ...] = ()


@dataclass(frozen=True, slots=True)
class Function:
    """A name with its revisions.

    Attributes:
        name: The last part of the resource name.
        revisions: Oldest first, at least one.
        current: The digest of the revision that the bare name means.
        labels: Labels to find it by.
        description: A text for people.
        tenant: The name of the tenant that it belongs to; empty on a server without identities.
        grants: The names of other tenants that may evaluate it, in order; EVERY_TENANT is all of them.
    """

    name: str
    revisions: tuple[Revision, ...]
    current: str
    labels: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    tenant: str = ""
    grants: tuple[str, ...] = ()

    @property
    def current_revision(self) -> Revision:
        """The revision that the bare name means."""
        return next(revision for revision in self.revisions if revision.digest == self.current)

    def visible_to(self, tenant: str) -> bool:
        """Whether callers of a tenant may see and evaluate it."""
        return tenant == self.tenant or tenant in self.grants or EVERY_TENANT in self.grants


@dataclass(frozen=True, slots=True)
class Findings:
    """What a worker finds in a program.

    Attributes:
        result: The types of the result's leaves.
        signature: What goes in and what comes out, of a program that says it itself; None of others.
        derivatives: Which derivatives it has; without what was not tried.
    """

    result: tuple[TensorType, ...]
    signature: Signature | None = None
    derivatives: tuple[DerivativeSupport, ...] = ()


@dataclass(frozen=True, slots=True)
class Registered:
    """A function at one of its revisions, with what its program says.

    Attributes:
        function: The function.
        revision: The revision.
        signature: The program's signature, with its result.
        producer: Who made the program.
    """

    function: Function
    revision: Revision
    signature: Signature
    producer: Producer
