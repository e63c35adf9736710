"""A worker without JAX that speaks the frames, and does what the program's name tells it.

echo            answers with the arguments
slow-SECONDS    the same, later
stored-NAME     the same, but only once the program was loaded
die             kills itself
die-once-PATH   kills itself unless the file is there, which it makes
babble          writes what is no frame
refuse          fails with SHAPE_MISMATCH
invent          fails for a reason that does not exist
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import threading
import time
from pathlib import Path

from pullback.program.elements import ElementType
from pullback.program.tensors import TensorType
from pullback_server.model.devices import Device, WorkerDescription
from pullback_server.model.evaluation import Outcome, Tensor, Timing
from pullback_server.model.frames import Frame, decode, encode
from pullback_server.model.messages import (
    Compile,
    Compiled,
    Evaluate,
    Failed,
    LoadProgram,
    ProgramLoaded,
    ProgramMissing,
    Ready,
    Request,
)
from pullback_server.model.transfer import evaluated_frame, evaluation_of

LOADED: set[str] = set()


def main() -> None:
    """Answers each request on a thread of its own until the socket is closed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--descriptor", type=int)
    parser.add_argument("--parent", type=int)
    parser.add_argument("--first", default="ready")
    options = parser.parse_args()
    connection = socket.socket(fileno=options.descriptor)
    lock = threading.Lock()
    match options.first:
        case "exit":
            raise SystemExit(3)
        case "silence":
            time.sleep(60)
        case "answer":
            write(connection, lock, Frame(Compiled(1, cached=True)))
    write(connection, lock, Frame(Ready(WorkerDescription(Device("cpu", "tiny", 0), {"tiny": "1"}))))
    while (frame := receive(connection)) is not None:
        threading.Thread(target=answer, args=(connection, lock, frame), daemon=True).start()
    os._exit(0)


def answer(connection: socket.socket, lock: threading.Lock, frame: Frame) -> None:
    """Answers one request."""
    assert isinstance(frame.message, Request)
    write(connection, lock, respond(frame, connection))


def respond(frame: Frame, connection: socket.socket) -> Frame:
    """Does what the program's name tells."""
    message = frame.message
    match message:
        case LoadProgram(program=b"bad"):
            return Frame(Failed(message.id, "MALFORMED_PROGRAM", "this is bad", {"line": "1"}))
        case LoadProgram():
            LOADED.add(message.digest)
            return Frame(ProgramLoaded(message.id, (TensorType(ElementType.F64, (len(message.program),)),)))
        case Compile():
            return Frame(Compiled(message.id, cached=False))
        case Evaluate():
            return evaluate(frame, message, connection)
    raise AssertionError(message)


def evaluate(frame: Frame, message: Evaluate, connection: socket.socket) -> Frame:
    """Answers an evaluation."""
    name, _, detail = message.kind.digest.partition("-")
    match name:
        case "slow":
            time.sleep(float(detail))
        case "die":
            if not detail or not Path(detail.removeprefix("once-")).exists():
                Path(detail.removeprefix("once-") or os.devnull).touch()
                os.kill(os.getpid(), signal.SIGKILL)
        case "stored" if message.kind.digest not in LOADED:
            return Frame(ProgramMissing(message.id))
        case "babble":
            connection.sendall(b"what is this?" * 100)
        case "refuse":
            return Frame(Failed(message.id, "SHAPE_MISMATCH", "no", {"argument": "x", "reason": "r"}))
        case "invent":
            return Frame(Failed(message.id, "NO_SUCH_REASON", "no", {}))
    asked = evaluation_of(message, frame.buffers)
    results = tuple(map(Tensor, asked.kind.types(asked.points), asked.inputs))
    return evaluated_frame(message.id, Outcome((results,), Timing(0.0, float(os.getpid()))))


def write(connection: socket.socket, lock: threading.Lock, frame: Frame) -> None:
    """Writes a frame."""
    with lock:
        connection.sendall(b"".join(encode(frame)))


def receive(connection: socket.socket) -> Frame | None:
    """Reads a frame; None at the end."""
    reader = decode()
    wanted = next(reader)
    while True:
        data = bytearray()
        while len(data) < wanted:
            try:
                part = connection.recv(wanted - len(data))
            except ConnectionResetError:
                return None
            if not part:
                return None
            data += part
        try:
            wanted = reader.send(data)
        except StopIteration as finished:
            frame: Frame = finished.value
            return frame


if __name__ == "__main__":
    main()
