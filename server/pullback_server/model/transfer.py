"""What is found in programs as messages, and back."""

from __future__ import annotations

from google.protobuf.message import DecodeError

from pullback.program.errors import ProgramError
from pullback.program.wire import signature_from_wire, signature_to_wire
from pullback.v1 import program_pb2
from pullback_server.model.frames import FrameError
from pullback_server.model.functions import Findings
from pullback_server.model.messages import ProgramLoaded


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
