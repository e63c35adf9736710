"""Cases that were found are kept as files, and sent again by a test for ever after."""

from __future__ import annotations

import base64
import hashlib
import json
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from fuzz.lethal import Prober
from fuzz.minimising import minimised
from fuzz.mutations import wire
from fuzz.programs import program, registration
from fuzz.seeds.messages import Case

from pullback.v1 import program_pb2

FOLDER: Final = Path(__file__).parent / "found"
_FOREIGN: Final = {"stable_hlo_module": "module", "jax_export": "artifact", "onnx": "model"}


def keep(case: Case, note: str) -> Path:
    """Writes a case to a file that is named by its contents.

    Args:
        case: The case.
        note: What it did when it was found.
    """
    name = hashlib.sha256(b"".join(case.messages)).hexdigest()[:12]
    method = case.path.rpartition("/")[2]
    file = FOLDER / f"{method}-{name}.json"
    messages = [base64.b64encode(message).decode() for message in case.messages]
    file.write_text(json.dumps({"note": note, "path": case.path, "messages": messages}, indent=2) + "\n")
    return file


def kept() -> dict[str, Case]:
    """All cases that were kept, by their files' names."""
    return {file.stem: read(file) for file in sorted(FOLDER.glob("*.json"))}


def read(file: Path) -> Case:
    """The case of a file."""
    stored = json.loads(file.read_text())
    return Case(stored["path"], tuple(map(base64.b64decode, stored["messages"])))


def keep_lethal(seed: int, numbers: Iterable[int]) -> list[Path]:
    """Keeps those of programs that kill their reader, as small as they can be made."""
    files = []
    with Prober() as prober:
        for number in sorted(set(numbers)):
            data = program(seed, number).data
            number_of_signal = prober.signal_of(data)
            if number_of_signal:
                name = signal.Signals(number_of_signal).name
                small = _smallest(prober, data, number_of_signal)
                files.append(keep(registration("found", small), f"{name} in the process that reads it"))
    return files


def _smallest(prober: Prober, data: bytes, number: int) -> bytes:
    """A program with the least of a body that ends its reader in the same way."""
    for field, inner in _bodies(data):

        def whole(part: bytes, field: str = field) -> bytes:
            return _program(field, part)

        if prober.signal_of(whole(inner)) == number:
            if number == signal.SIGALRM:  # each try would take as long
                return whole(inner)
            return whole(minimised(inner, lambda part: prober.signal_of(whole(part)) == number))
    return data


def _bodies(data: bytes) -> list[tuple[str, bytes]]:
    """What a program consists of, each part as a body by itself."""
    try:
        message = program_pb2.Program.FromString(data)
    except ValueError:
        return []
    kind = message.WhichOneof("body")
    if kind == "stable_hlo":
        modules = [message.stable_hlo.entry, *message.stable_hlo.modules]
        return [("stable_hlo_module", module) for module in modules]
    return [(kind, getattr(getattr(message, kind), _FOREIGN[kind]))] if kind in _FOREIGN else []


def _program(field: str, part: bytes) -> bytes:
    message = program_pb2.Program(format_version=1)
    setattr(getattr(message, field), _FOREIGN[field], part)
    return message.SerializeToString()


def program_of(case: Case) -> bytes:
    """The serialized program of a registration."""
    (program_field,) = (field for field in wire.fields_of(case.messages[0]) if field.number == 2)
    assert isinstance(program_field.value, bytes)
    return program_field.value
