"""Evaluations, their outcomes and what is found in programs as frames, and back.

What came from the other process is checked here: each buffer must have the length of its type.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

from google.protobuf.message import DecodeError

from pullback.program.errors import ProgramError
from pullback.program.tensors import TensorType
from pullback.program.wire import signature_from_wire, signature_to_wire
from pullback.v1 import program_pb2
from pullback_server.model.evaluation import Buffer, Evaluation, Outcome, Tensor
from pullback_server.model.frames import Frame, FrameError
from pullback_server.model.functions import Findings
from pullback_server.model.memory import Place
from pullback_server.model.messages import Evaluate, Evaluated, ProgramLoaded


def evaluate_frame(id_: int, evaluation: Evaluation) -> Frame:
    """The request for an evaluation."""
    buffers = (data.view if isinstance(data, Place) else data for data in evaluation.inputs)
    return Frame(Evaluate(id_, evaluation.kind, evaluation.points), tuple(buffers))


def evaluation_of(message: Evaluate, buffers: Sequence[Buffer]) -> Evaluation:
    """The evaluation that a request asks for.

    Raises:
        FrameError: If the buffers are not those of the message's types.
    """
    types = message.kind.types(message.points)
    if len(types) != len(buffers):
        raise FrameError(f"a message names {len(types)} tensors and brings {len(buffers)} buffers")
    for type_, buffer in zip(types, buffers, strict=True):
        _tensor(type_, buffer)
    return Evaluation(message.kind, tuple(buffers), message.points)


def evaluated_frame(id_: int, outcome: Outcome) -> Frame:
    """The answer to an evaluation."""
    message = Evaluated(id_, tuple(map(_types, outcome.results)), outcome.timing)
    return Frame(message, _buffers(outcome.results))


def outcome_of(message: Evaluated, buffers: Sequence[Buffer]) -> Outcome:
    """The outcome that an answer tells.

    Raises:
        FrameError: If the buffers are not those of the message's types.
    """
    return Outcome(_tensors(message.results, buffers), message.timing)


def findings_message(id_: int, findings: Findings) -> ProgramLoaded:
    """The answer to a request to load a program."""
    signature = findings.signature
    serialized = signature_to_wire(signature).SerializeToString() if signature else b""
    return ProgramLoaded(id_, findings.result, serialized, findings.derivatives)


def findings_of(message: ProgramLoaded) -> Findings:
    """What an answer tells about a program.

    Raises:
        FrameError: If the signature is none.
    """
    if not message.signature:
        return Findings(message.result, derivatives=message.derivatives)
    try:
        signature = signature_from_wire(program_pb2.Signature.FromString(message.signature))
    except (DecodeError, ProgramError) as error:
        raise FrameError(f"a program was loaded with a signature that cannot be read: {error}") from error
    return Findings(message.result, signature, message.derivatives)


def _types(tensors: Iterable[Tensor]) -> tuple[TensorType, ...]:
    return tuple(tensor.type for tensor in tensors)


def _buffers(groups: Iterable[Iterable[Tensor]]) -> tuple[Buffer, ...]:
    return tuple(tensor.data for tensor in itertools.chain.from_iterable(groups))


def _tensors(
    groups: Iterable[tuple[TensorType, ...]], buffers: Sequence[Buffer]
) -> tuple[tuple[Tensor, ...], ...]:
    groups = tuple(groups)
    if sum(map(len, groups)) != len(buffers):
        raise FrameError(f"a message names {sum(map(len, groups))} tensors and brings {len(buffers)} buffers")
    rest = iter(buffers)
    return tuple(tuple(_tensor(type_, next(rest)) for type_ in types) for types in groups)


def _tensor(type_: TensorType, buffer: Buffer) -> Tensor:
    if len(buffer) != type_.nbytes:
        raise FrameError(f"a tensor {type_} has {type_.nbytes} bytes, and its buffer has {len(buffer)}")
    return Tensor(type_, buffer)
