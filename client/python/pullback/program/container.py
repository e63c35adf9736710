"""A program: one function as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias, assert_never

from pullback.program.signature import Signature
from pullback.program.tensors import TensorType

FORMAT_VERSION: Final = 1

Buffer: TypeAlias = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True)
class Constant:
    """An array that is part of a function and too large to stand in its modules.

    Attributes:
        type: Its type.
        digest: The SHA-256 of its little-endian, row-major bytes: 64 hexadecimal digits.
    """

    type: TensorType
    digest: str


@dataclass(frozen=True, slots=True)
class StableHlo:
    """A function as StableHLO portable artifacts.

    Attributes:
        entry: The module whose public function `main` is the function.
        modules: Modules that composites refer to by index: derivative rules, bodies of loops.
        constants: Arrays that `main` takes behind the leaves of the arguments.
    """

    entry: bytes
    modules: tuple[bytes, ...] = ()
    constants: tuple[Constant, ...] = ()


@dataclass(frozen=True, slots=True)
class Formula:
    """A function as source text in the formula language.

    Attributes:
        source: Statements, one a line or separated by semicolons; the last is the result.
    """

    source: str


@dataclass(frozen=True, slots=True)
class StableHloModule:
    """A function as one StableHLO module of any producer, whose signature is read from it.

    Attributes:
        module: Text, MLIR bytecode or a portable artifact, whose public function `main` is the function.
        names: The names of the arguments; empty calls them `arg0`, `arg1` and so on.
    """

    module: bytes
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class JaxExport:
    """A function as an artifact of `jax.export`, whose signature is read from it.

    Attributes:
        artifact: What `jax.export.Exported.serialize` gives; with its VJPs, where it has them.
        names: The names of the positional arguments; empty calls them `arg0`, `arg1` and so on.
    """

    artifact: bytes
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Onnx:
    """A function as an ONNX model, whose signature is read from it.

    Attributes:
        model: A serialized ModelProto with all its data inside.
    """

    model: bytes


Body = StableHlo | Formula | StableHloModule | JaxExport | Onnx


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
        signature: What goes in and what comes out. Without arguments and result where a body that says
            it itself was not read yet.
        producer: Who made it; no part of its identity.
        attachments: The bytes of constants by their digests, where the program was made; they travel
            apart from it.
        max_trips: How many trips any of its loops makes whose number of trips depends on data; None where
            that is not known. Reverse mode is laid out for it, and right with more trips, too.
    """

    body: Body
    signature: Signature
    producer: Producer = field(default_factory=Producer)
    attachments: Mapping[str, Buffer] = field(default_factory=dict, compare=False, repr=False)
    max_trips: int | None = None

    @property
    def constants(self) -> tuple[str, ...]:
        """The digests of its constants, each once."""
        if not isinstance(self.body, StableHlo):
            return ()
        return tuple(dict.fromkeys(constant.digest for constant in self.body.constants))

    @property
    def format(self) -> str:
        """The name of the body's format: `stablehlo`, `formula`, `jax_export` or `onnx`."""
        match self.body:
            case StableHlo() | StableHloModule():
                return "stablehlo"
            case Formula():
                return "formula"
            case JaxExport():
                return "jax_export"
            case Onnx():
                return "onnx"
            case _:
                assert_never(self.body)
