"""From what a user registers to the messages that register it; without I/O."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from pullback import __version__
from pullback._descriptions import FunctionDetails, details_from_wire
from pullback._names import default_name, function_name
from pullback._onnx import Onnx, is_model
from pullback._sources import Exported, StableHLO, is_exported, recognized
from pullback._torch import Torch, is_module
from pullback.errors import invalid_argument
from pullback.program import container
from pullback.program.container import Buffer, Producer, Program
from pullback.program.digest import digest
from pullback.program.signature import Argument, Signature
from pullback.program.tensors import TensorType, parse_tensor_type
from pullback.program.trees import LEAF, has_custom_nodes
from pullback.program.wire import program_to_bytes, program_to_wire
from pullback.v1 import functions_pb2

_CHUNK: Final = 1 << 20
_LARGEST_INLINE: Final = 1 << 20
_MOST_TRIPS: Final = 2**31 - 1


class Formula:
    """A function as a text in the formula language (docs/formula.md).

    `Formula("sum(x**2) * y", x="f64[8]", y="f64[]")` takes an array of 8 and a number.

    Args:
        source: Statements, one a line or separated by semicolons; the last is the result.
        **arguments: The type of each argument, in the order of the call.

    Raises:
        MalformedProgramError: If a type cannot be read.
    """

    __slots__ = ("program",)

    def __init__(self, source: str, /, **arguments: str | TensorType) -> None:
        types = {name: _tensor_type(text) for name, text in arguments.items()}
        signature = Signature(tuple(Argument(name, LEAF, (kind,)) for name, kind in types.items()))
        producer = Producer("pullback-python", __version__)
        self.program = Program(container.Formula(source), signature, producer)


def _tensor_type(text: str | TensorType) -> TensorType:
    return text if isinstance(text, TensorType) else parse_tensor_type(text)


Source = Program | Formula | StableHLO | Exported | Onnx | Torch | bytes | Callable[..., Any]
"""What can be registered; also a `jax.export.Exported`, the bytes of one or of StableHLO, an
`onnx.ModelProto` and a `torch.nn.Module`."""


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


def to_program(source: Source, examples: Sequence[Any]) -> Program:
    """The program of what a user registers; a Python function is traced here, on the user's machine.

    Raises:
        ExportError: If a function cannot be exported.
        InvalidArgumentError: If the source will not do, examples are superfluous, or JAX is missing.
    """
    made = _made_elsewhere(source)
    if made is not None:
        if examples:
            raise invalid_argument(
                "MALFORMED_REQUEST", "example arguments are only for Python functions; a program has its own"
            )
        return made
    if isinstance(source, Torch) or is_module(source):
        return (source if isinstance(source, Torch) else Torch(source)).export(examples)
    if not callable(source):
        raise invalid_argument(
            "MALFORMED_REQUEST",
            f"a {type(source).__name__} cannot be registered; pass a function that JAX can trace, a "
            "PyTorch module, a pullback.Formula, StableHLO, Exported or Onnx, or a Program",
        )
    return _export(source, examples)


def _made_elsewhere(source: object) -> Program | None:
    """The program of what need not be traced; None for anything else."""
    if isinstance(source, bytes | bytearray):
        return recognized(bytes(source)).program
    if is_exported(source):
        return Exported(source).program
    if is_model(source):
        return Onnx(source).program
    if isinstance(source, Formula | StableHLO | Exported | Onnx):
        return source.program
    return source if isinstance(source, Program) else None


def _export(function: Callable[..., Any], examples: Sequence[Any]) -> Program:
    if importlib.util.find_spec("jax") is None:
        raise invalid_argument(
            "MALFORMED_REQUEST",
            "registering a Python function needs JAX to trace it; run pip install 'pullback[jax]'",
        )
    exported: Program = importlib.import_module("pullback.export").export(function, *examples)
    return exported
