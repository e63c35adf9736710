"""From what a user registers to the messages that register it; without I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from pullback._descriptions import FunctionDetails, details_from_wire
from pullback._names import default_name, function_name
from pullback._sources.program import Source, to_program
from pullback.errors import invalid_argument
from pullback.program.container import Buffer, Program
from pullback.program.digest import digest
from pullback.program.signature import Signature
from pullback.program.trees import has_custom_nodes
from pullback.program.wire import program_to_bytes, program_to_wire
from pullback.v1 import functions_pb2

_CHUNK: Final = 1 << 20
_LARGEST_INLINE: Final = 1 << 20
_MOST_TRIPS: Final = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Registration:
    """What registers a function.

    Attributes:
        request: The request.
        upload: The serialized program, where it must be uploaded first because it is large; else empty.
        digest: The program's digest.
        constants: The bytes of the program's large constants, by their digests, which are uploaded before it
            where the server lacks them.
        signature: The program's.
    """

    request: functions_pb2.RegisterFunctionRequest
    upload: bytes
    digest: str
    constants: Mapping[str, Buffer]
    signature: Signature

    def details(self, message: functions_pb2.Function) -> FunctionDetails:
        """What the server says of the function; its containers are those that it was registered with."""
        details = details_from_wire(message)
        result = self.signature.result
        trees = [argument.tree for argument in self.signature.arguments] + ([result.tree] if result else [])
        return replace(details, signature=self.signature) if any(map(has_custom_nodes, trees)) else details

    def chunks(self) -> Iterator[functions_pb2.UploadProgramRequest]:
        """The messages of the upload."""
        for start in range(0, len(self.upload), _CHUNK):
            chunk = self.upload[start : start + _CHUNK]
            if start == 0:
                yield functions_pb2.UploadProgramRequest(
                    digest=self.digest, size_bytes=len(self.upload), chunk=chunk
                )
            else:
                yield functions_pb2.UploadProgramRequest(chunk=chunk)

    def constant_chunks(self, digest: str) -> Iterator[functions_pb2.UploadConstantRequest]:
        """The messages that upload a constant."""
        data = memoryview(self.constants[digest])
        yield functions_pb2.UploadConstantRequest(digest=digest, size_bytes=len(data))
        for start in range(0, len(data), _CHUNK):
            yield functions_pb2.UploadConstantRequest(chunk=bytes(data[start : start + _CHUNK]))


def prepare(
    source: Source,
    examples: Sequence[Any],
    *,
    name: str | None,
    labels: Mapping[str, str],
    description: str,
    max_trips: int | None = None,
) -> Registration:
    """Prepares the registration of a function.

    Args:
        source: A function that JAX can trace, a PyTorch module, a formula, StableHLO, an ONNX
            model, an artifact of `jax.export`, a program.
        examples: For a function or module: example arguments, whose shapes and dtypes count.
        name: The function's name; None is the Python function's own, or one made from the digest.
        labels: Labels to find it by.
        description: A text for people.
        max_trips: How many trips any loop of the function makes whose number of trips depends on data.

    Raises:
        ExportError: If a function cannot be exported.
        InvalidArgumentError: If the source is none of these, examples are superfluous, the name cannot be
            one, max_trips is no number of trips, or JAX is needed and missing.
    """
    program = _bounded(to_program(source, examples), max_trips)
    content = digest(program)
    request = functions_pb2.RegisterFunctionRequest(
        name=function_name(name or default_name(_own_name(source), content)),
        labels=labels,
        description=description,
    )
    data = program_to_bytes(program)
    if len(data) > _LARGEST_INLINE:
        request.program_digest = content
        return Registration(request, data, content, program.attachments, program.signature)
    request.program.CopyFrom(program_to_wire(program))
    return Registration(request, b"", content, program.attachments, program.signature)


def _bounded(program: Program, max_trips: int | None) -> Program:
    if max_trips is None:
        return program
    if not 1 <= max_trips <= _MOST_TRIPS:
        raise invalid_argument(
            "MALFORMED_REQUEST",
            f"max_trips is {max_trips}; give a number of trips from 1 to {_MOST_TRIPS}, or leave it out",
        )
    return replace(program, max_trips=max_trips)


def _own_name(source: object) -> str:
    """The name that a function, or what jax.export made of one, has by itself."""
    return str(getattr(source, "__name__", "") or getattr(source, "fun_name", ""))
