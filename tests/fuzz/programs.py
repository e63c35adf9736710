"""Fuzzes programs: mutated programs of every format are registered, and evaluated where that goes well."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from e2e.server.running import Running, formula
from fuzz.answers import Answer
from fuzz.calling import Caller
from fuzz.chance import dice
from fuzz.innocent import Innocent
from fuzz.mutations import formulas, octets, text, wire
from fuzz.report import Found, Report
from fuzz.requests import request_for
from fuzz.seeds import programs as seeds
from fuzz.seeds.messages import Case
from fuzz.watching import Watch

from pullback.program.wire import program_to_bytes
from pullback.v1 import functions_pb2, program_pb2

FLAGS: Final = (
    *("--max-derivative-order=3", "--spare-workers=1"),
    *("--max-run-seconds=5", "--max-compile-seconds=20", "--worker-silent-seconds=5"),
)
_REGISTER: Final = "/pullback.v1.FunctionService/RegisterFunction"
_DELETE: Final = "/pullback.v1.FunctionService/DeleteFunction"
_EVALUATE: Final = "/pullback.v1.EvaluationService/Evaluate"
_AT_ONCE: Final = 6
_SECONDS: Final = 90.0
_ROUND: Final = 100
_EVALUATED_SHARE: Final = 0.5


@dataclass(frozen=True, slots=True)
class Program:
    """A mutated program.

    Attributes:
        kind: What it was made from.
        data: The serialized message.
    """

    kind: str
    data: bytes


def program(seed: int, number: int) -> Program:
    """The program of a number."""
    chance = dice(seed, number)
    (kind,) = chance.choices(tuple(_MAKERS), weights=[weight for weight, _ in _MAKERS.values()])
    return Program(kind, _MAKERS[kind][1](chance))


def _container(chance: Random) -> bytes:
    return wire.mutated(chance.choice(seeds.containers()), chance, seeds.artifacts()[:8])


def _modules(chance: Random) -> bytes:
    message = program_pb2.Program.FromString(chance.choice(seeds.containers()))
    body = message.stable_hlo
    place = chance.randrange(len(body.modules) + 1)
    if place:
        body.modules[place - 1] = octets.mutated(body.modules[place - 1], chance, seeds.artifacts())
    else:
        body.entry = octets.mutated(body.entry, chance, seeds.artifacts())
    return message.SerializeToString()


def _artifact(chance: Random) -> bytes:
    module = octets.mutated(chance.choice(seeds.artifacts()), chance, seeds.artifacts())
    return _foreign(program_pb2.Program(stable_hlo_module=program_pb2.StableHloModule(module=module)))


def _text(chance: Random) -> bytes:
    module = text.mutated(chance.choice(seeds.texts()), chance, seeds.texts()).encode()
    return _foreign(program_pb2.Program(stable_hlo_module=program_pb2.StableHloModule(module=module)))


def _export(chance: Random) -> bytes:
    artifact = octets.mutated(chance.choice(seeds.exports()), chance, seeds.exports())
    return _foreign(program_pb2.Program(jax_export=program_pb2.JaxExport(artifact=artifact)))


def _model(chance: Random) -> bytes:
    model = chance.choice(seeds.models())
    for _ in range(1 + int(chance.expovariate(1.0))):
        model = wire.mutated(model, chance, seeds.models())
    return _foreign(program_pb2.Program(onnx=program_pb2.Onnx(model=model)))


def _formula(chance: Random) -> bytes:
    return program_to_bytes(formula(formulas.source(chance), **formulas.arguments(chance)))


def _foreign(message: program_pb2.Program) -> bytes:
    message.format_version = 1
    return message.SerializeToString()


_MAKERS: Final[dict[str, tuple[int, Callable[[Random], bytes]]]] = {
    "container": (3, _container),
    "modules": (4, _modules),
    "artifact": (4, _artifact),
    "text": (5, _text),
    "jax_export": (2, _export),
    "onnx": (3, _model),
    "formula": (3, _formula),
}


def registration(name: str, data: bytes) -> Case:
    """The call that registers a serialized program; it need not be one."""
    fields = [wire.Field(1, wire.LEN, f"functions/{name}".encode()), wire.Field(2, wire.LEN, data)]
    return Case(_REGISTER, (wire.message(fields),))


def fuzz_programs(server: Running, seed: int, numbers: Sequence[int], tell: Callable[[str], None]) -> Report:
    """Registers the programs of these numbers, evaluates those that are taken, and reports."""
    report = Report("programs", seed)
    watch = Watch(server)
    began = time.monotonic()
    with Innocent(server.address, _SECONDS) as innocent:
        for start in range(0, len(numbers), _ROUND):
            some = iter(numbers[start : start + _ROUND])
            asyncio.run(_send(server.address, seed, some, report))
            watch.look()
            if server.process.poll() is not None:
                break
            tell(report.line(time.monotonic() - began))
    watch.finish()
    report.finish(time.monotonic() - began, innocent, watch)
    return report


async def _send(address: str, seed: int, numbers: Iterator[int], report: Report) -> None:
    async with Caller(address, _SECONDS) as caller:

        async def work(slot: int) -> None:
            for number in numbers:
                mutant = program(seed, number)
                for case, answer in await try_program(
                    caller, f"mutant-{slot}", mutant.data, dice(seed, -number)
                ):
                    report.add(number, answer)
                    if answer.fault:
                        report.found.append(
                            Found(f"{mutant.kind}: {case.path}", case.messages, answer.fault, number)
                        )
                    if answer.lost_a_worker:
                        report.lethal.append(number)

        await asyncio.gather(*(work(slot) for slot in range(_AT_ONCE)))


async def try_program(caller: Caller, name: str, data: bytes, chance: Random) -> list[tuple[Case, Answer]]:
    """Registers a program, evaluates and deletes it where it is taken; gives the calls and their answers."""
    case = registration(name, data)
    calls = [(case, await caller.call(case))]
    if not calls[0][1].messages:
        return calls
    response = functions_pb2.RegisterFunctionResponse.FromString(calls[0][1].messages[0])
    request = request_for(response.function, chance) if chance.random() < _EVALUATED_SHARE else None
    if request is not None:
        case = Case(_EVALUATE, (request.SerializeToString(),))
        calls.append((case, await caller.call(case)))
    deletion = functions_pb2.DeleteFunctionRequest(name=f"functions/{name}").SerializeToString()
    case = Case(_DELETE, (deletion,))
    return [*calls, (case, await caller.call(case))]
