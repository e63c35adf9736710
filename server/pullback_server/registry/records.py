"""What the registry takes and tells, as frozen data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pullback.program.container import Program
from pullback.program.derivatives import DerivativeSupport
from pullback_server.registry.names import Key


@dataclass(frozen=True, slots=True)
class Registration:
    """What to register.

    Attributes:
        name: The function's name.
        program: The program; its signature has the result.
        labels: Labels to find the function by.
        description: A text for people.
        derivatives: Which derivatives the program has; without what was not tried.
        tenant: The tenant that the function belongs to.
    """

    name: str
    program: Program
    labels: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    derivatives: tuple[DerivativeSupport, ...] = ()
    tenant: str = ""

    @property
    def key(self) -> Key:
        """By what the function is found."""
        return Key(self.tenant, self.name)


@dataclass(frozen=True, slots=True)
class Collected:
    """What a collection has removed.

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
    """What became of functions that were to be given to a tenant.

    Attributes:
        adopted: The names of those that belong to it now.
        left: The names of those that stay, since it has a function of that name.
    """

    adopted: tuple[str, ...]
    left: tuple[str, ...]
