"""A worker without JAX that speaks the frames, and does what the program's name tells it.

echo            answers with the arguments
haunt-PATH      echo if the file is there; else makes it, writes what is no frame, and from then on and until
                it is killed 255 to where the results were to go
slow-SECONDS    the same, later
stored-NAME     the same, but only once the program was loaded
die             aborts
die-SECONDS     the same, later
die-negative    aborts if its first argument is negative
die-once-PATH   aborts unless the file is there, which it makes
killed          kills itself with SIGKILL, as if somebody else had
freeze          stops its own process
stall-SECONDS   lets no other thread go on for so long, while it compiles
hang            lets no other thread go on, forever
grow            takes 200 MiB and then half a minute
babble          writes what is no frame
refuse          fails with SHAPE_MISMATCH
invent          fails for a reason that does not exist
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import itertools
import os
import re
import signal
import socket
import struct
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from pullback.program.elements import ElementType
from pullback.program.tensors import TensorType
from pullback_server.compute.crossing import Mapped, Places, inputs_of
from pullback_server.compute.reading import Reading
from pullback_server.engine.probe import PROBE_DIGEST
from pullback_server.model.board import Board
from pullback_server.model.devices import Device, WorkerDescription
from pullback_server.model.evaluation import Buffer, Kind
from pullback_server.model.frames import Frame, encode
from pullback_server.model.messages import (
    Abandon,
    AttachSegment,
    Compile,
    Compiled,
    DefineKind,
    DetachSegment,
    Failed,
    ForgetKind,
    LoadProgram,
    MakeWay,
    ProgramLoaded,
    ProgramMissing,
    Ran,
    Ready,
    Run,
    Warm,
)

LOADED: set[str] = set()
KINDS: dict[int, Kind] = {}
MAPPED = Mapped()
HAUNTING: list[bool] = []
WAYS: list[MakeWay] = []
FIRST: list[str] = []
PROBES = itertools.count()
BOARD: list[Board] = []


def main() -> None:
    """Answers each request on a thread of its own until the socket is closed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--descriptor", type=int)
    parser.add_argument("--board", type=int)
    parser.add_argument("--parent", type=int)
    parser.add_argument("--first", default="ready")
    options = parser.parse_args()
    FIRST.append(options.first)
    BOARD.append(Board(options.board))
    threading.Thread(target=beat, daemon=True).start()
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
    reading = Reading(connection)
    while (frames := reading.frames()) is not None:
        for frame in frames:
            take(frame, reading, connection, lock)
    while HAUNTING:
        time.sleep(0.01)
    os._exit(0)


def beat() -> None:
    """Shows that the interpreter runs."""
    while True:
        BOARD[0].beat()
        time.sleep(0.05)


def take(frame: Frame, reading: Reading, connection: socket.socket, lock: threading.Lock) -> None:
    """Takes note of a notice, or answers a request on a thread of its own."""
    match frame.message:
        case DefineKind(number=number, kind=kind):
            KINDS[number] = kind
        case ForgetKind(number=number):
            del KINDS[number]
        case AttachSegment() as message:
            MAPPED.attach(message, reading.descriptor())
        case DetachSegment(number=number):
            MAPPED.detach(number)
        case MakeWay() as message:
            WAYS.append(message)
        case Abandon():
            pass
        case _:
            threading.Thread(target=answer, args=(connection, lock, frame), daemon=True).start()


def answer(connection: socket.socket, lock: threading.Lock, frame: Frame) -> None:
    """Answers one request."""
    slot = BOARD[0].begin(frame.message.id, preparing=not isinstance(frame.message, Run))
    response = respond(frame, connection)
    BOARD[0].end(slot)
    with contextlib.suppress(OSError):
        write(connection, lock, response)


def respond(frame: Frame, connection: socket.socket) -> Frame:
    """Does what the program's name tells."""
    message = frame.message
    match message:
        case LoadProgram(program=b"bad"):
            return Frame(Failed(message.id, "MALFORMED_PROGRAM", "this is bad", {"line": "1"}))
        case LoadProgram(program=b"die"):
            os.abort()
        case LoadProgram():
            LOADED.add(message.digest)
            return Frame(ProgramLoaded(message.id, (TensorType(ElementType.F64, (len(message.program),)),)))
        case Compile():
            if message.digest.startswith("slow-"):
                time.sleep(float(message.digest.removeprefix("slow-")))
            if message.digest.startswith("stall-"):
                # A function that is called in this way keeps Python's lock.
                ctypes.PyDLL(None).usleep(int(float(message.digest.removeprefix("stall-")) * 1e6))
            return Frame(Compiled(message.id, cached=False))
        case Warm():
            return warm(message, KINDS[message.kind])
        case Run():
            return run(frame, message, connection)
    raise AssertionError(message)


def warm(message: Warm, kind: Kind) -> Frame:
    """Compiles, unless the program is not to be had."""
    if kind.digest == "refuse":
        return Frame(Failed(message.id, "COMPILATION_FAILED", "no", {}))
    return Frame(Compiled(message.id, cached=False))


def run(frame: Frame, message: Run, connection: socket.socket) -> Frame:
    """Answers an evaluation."""
    kind = KINDS[message.kind]
    if kind.digest == PROBE_DIGEST:
        return probed(message)
    name, _, detail = kind.digest.partition("-")
    match name:
        case "slow":
            time.sleep(float(detail))
        case "stored" if kind.digest not in LOADED:
            return Frame(ProgramMissing(message.id))
        case "babble":
            connection.sendall(b"what is this?" * 100)
        case "refuse":
            return Frame(Failed(message.id, "SHAPE_MISMATCH", "no", {"argument": "x", "reason": "r"}))
        case "polite" if len(WAYS) != 1:
            return Frame(Failed(message.id, "INTERNAL", f"this was said {len(WAYS)} times", {}))
        case "invent":
            return Frame(Failed(message.id, "NO_SUCH_REASON", "no", {}))
        case "haunt" if not Path(detail).exists():
            Path(detail).touch()
            haunt(connection, message)
        case _:
            harm(name, detail, frame)
    return echo(message, kind, inputs_of(message, frame.buffers, MAPPED))


def harm(name: str, detail: str, frame: Frame) -> None:
    """Does harm to its own process, if that is what is asked."""
    match name:
        case "die":
            die(detail, frame)
        case "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        case "freeze":
            os.kill(os.getpid(), signal.SIGSTOP)
        case "hang":
            re.match("(a*)*b", "a" * 50)
        case "grow":
            grown = bytearray(os.urandom(1 << 20)) * 200
            time.sleep(30)
            grown.clear()


def die(when: str, frame: Frame) -> None:
    """Aborts, if it is time to."""
    if when == "negative":
        if struct.unpack_from("<d", frame.buffers[0])[0] < 0:
            os.abort()
    elif when.startswith("once-"):
        path = Path(when.removeprefix("once-"))
        if not path.exists():
            path.touch()
            os.abort()
    else:
        time.sleep(float(when or 0))
        os.abort()


def probed(message: Run) -> Frame:
    """Answers a probe, as it was told to."""
    if FIRST[0] == "mute" or (FIRST[0] == "deaf" and next(PROBES)):
        time.sleep(60)
    if FIRST[0] == "fatal":
        os.abort()
    value = 11.0 if FIRST[0] == "wrong" else 10.0
    types = msgspec.Raw(msgspec.msgpack.encode([[TensorType(ElementType.F64, ())]]))
    return Frame(Ran(message.id, types), (struct.pack("<d", value),))


def echo(message: Run, kind: Kind, inputs: Sequence[Buffer]) -> Frame:
    """Answers with the inputs, the large ones where results were to go; 255 is what lies between them."""
    types = kind.types(message.points)
    encoded = msgspec.Raw(msgspec.msgpack.encode([types]))
    if message.results is None:
        return Frame(Ran(message.id, encoded, (), 0.0, float(os.getpid())), inputs)
    MAPPED.view(message.results)[:] = b"\xff" * message.results[2]
    places = Places(message.results, [type_.nbytes for type_ in types], MAPPED)
    for data, view in zip(inputs, places.views, strict=True):
        if view is not None:
            memoryview(view)[:] = data
    return Frame(
        Ran(message.id, encoded, tuple(places.offsets), 0.0, float(os.getpid())), places.rest(inputs)
    )


def haunt(connection: socket.socket, message: Run) -> None:
    """Is broken off, but does not end, and writes where it was told to write."""
    assert message.results is not None
    HAUNTING.append(True)
    view = MAPPED.view(message.results)
    connection.sendall(b"what is this?" * 100)
    while True:
        view[:] = b"\xff" * len(view)
        time.sleep(0.001)


def write(connection: socket.socket, lock: threading.Lock, frame: Frame) -> None:
    """Writes a frame."""
    with lock:
        connection.sendall(b"".join(encode(frame)))


if __name__ == "__main__":
    main()
