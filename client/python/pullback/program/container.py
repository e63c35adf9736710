"""A program: one function as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from pullback.program.signature import Signature

FORMAT_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class StableHlo:
    """A function as StableHLO portable artifacts.

    Attributes:
        entry: The module whose public function `main` is the function.
        modules: Modules that composites refer to by index: derivative rules, bodies of loops.
    """

    entry: bytes
    modules: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Formula:
    """A function as source text in the formula language.

    Attributes:
        source: Statements, one a line or separated by semicolons; the last is the result.
    """

    source: str


Body = StableHlo | Formula


@dataclass(frozen=True, slots=True)
class Producer:
    """Who made a program, for people.

    Attributes:
        name: The tool, such as `pullback-python`.
        version: Its version.
        dependencies: Versions of what it used, such as `{"jax": "0.10.2"}`.
    """

    name: str = ""
    version: str = ""
    dependencies: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Program:
    """One function as data, with everything a server needs to serve it.

    Attributes:
        body: The function, in one of the formats.
        signature: What goes in and what comes out.
        producer: Who made it; no part of its identity.
    """

    body: Body
    signature: Signature
    producer: Producer = field(default_factory=Producer)

    @property
    def format(self) -> str:
        """The name of the body's format: `stablehlo` or `formula`."""
        return "stablehlo" if isinstance(self.body, StableHlo) else "formula"
