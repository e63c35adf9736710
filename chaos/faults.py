"""What goes wrong in a run: each fault does its harm once, and says what it was answered."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Final, Literal

import grpc
import numpy as np
import psutil

import pullback
from chaos.clients.patience import delete
from chaos.clock import Clock
from chaos.disk import Disk
from chaos.functions import ENDLESS, GREEDY, WAVE, WIDE, WIDE_SIZE, lethal
from chaos.serving import Server
from chaos.tenants import Tenant
from pullback.errors import PullbackError
from pullback.v1 import evaluation_pb2, tensor_pb2

_FULL_SECONDS: Final = 4.0
_STEPS: Final = (3600, -86_400, 10 * 365 * 86_400, 0)
_STREAMING_SECONDS: Final = 1.0
_PATIENCE_SECONDS: Final = 300.0
_GARBAGE: Final = 40
_LONGEST_GARBAGE: Final = 300
# A message that is sound as a whole, to be cut off.
_SOUND: Final = evaluation_pb2.EvaluateRequest(
    function=f"functions/{WAVE}",
    wants=[evaluation_pb2.Want(quantity=evaluation_pb2.QUANTITY_GRADIENT)],
    arguments=[tensor_pb2.Tensor(element_type=tensor_pb2.ELEMENT_TYPE_F64, shape=(6,), data=bytes(48))],
).SerializeToString()
_METHODS: Final = (
    *(f"/pullback.v1.EvaluationService/{name}" for name in ("Evaluate", "EvaluateStream", "Compile")),
    *(
        f"/pullback.v1.FunctionService/{name}"
        for name in ("RegisterFunction", "UploadProgram", "DeleteFunction")
    ),
)
_STREAM: Final = _METHODS[1]
# Answers that are proper to what does harm; a server that is being started again, or whose disk is full just
# then, may say so, too.
_PASSING: Final = {"UNAVAILABLE", "NOT_READY", "STORAGE_FULL"}
_LOOPED: Final = {"RUN_TIME_EXCEEDED", "QUARANTINED", "DEADLINE_EXCEEDED"} | _PASSING
_GREEDY: Final = {"RESULT_TOO_LARGE", "DEVICE_MEMORY_EXCEEDED", "MESSAGE_TOO_LARGE"} | _PASSING
_KILLED: Final = {"WORKER_DIED", "QUARANTINED", "MALFORMED_PROGRAM"} | _PASSING
_GARBLED: Final = {
    *("INVALID_ARGUMENT", "NOT_FOUND", "RESOURCE_EXHAUSTED", "UNAVAILABLE", "an error on its stream"),
}


@dataclass
class Harm:
    """What faults need, and what came of them.

    Attributes:
        server: The server.
        tenant: Whose clients do harm.
        chance: What is left to chance.
        environment: The environment of client processes.
        disk: The disk, where it can be filled.
        clock: The clock, where it can be set.
        number: How many programs were made; no two are the same.
        answers: What harm was answered, in order: the fault and the answer.
        faults: What was not answered as it should be.
    """

    server: Server
    tenant: Tenant
    chance: Random
    environment: dict[str, str]
    disk: Disk | None = None
    clock: Clock | None = None
    number: int = 0
    answers: list[tuple[str, str]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def next(self) -> int:
        """A number that no program has yet."""
        self.number += 1
        return self.number

    def connect(self) -> pullback.Client:
        """A connection."""
        return pullback.connect(self.server.address, timeout=_PATIENCE_SECONDS, token=self.tenant.token)

    def note(self, fault: str, answer: str, proper: Iterable[str] = ()) -> None:
        """Notes an answer; one that is not proper is a fault."""
        self.answers.append((fault, answer.partition(":")[0]))
        if proper and answer.partition(":")[0] not in proper:
            self.faults.append(f"{fault} is answered {answer}")

    def told(self) -> list[str]:
        """How often harm was answered how."""
        counts = sorted(Counter(self.answers).items())
        return [f"{fault:16}{count:5}  {answer}" for (fault, answer), count in counts]


def kill_worker(harm: Harm) -> None:
    """A worker is killed."""
    _signal_a_worker(harm, "kill worker", signal.SIGKILL)


def stop_worker(harm: Harm) -> None:
    """A worker is stopped, and stays so."""
    _signal_a_worker(harm, "stop worker", signal.SIGSTOP)


def _signal_a_worker(harm: Harm, fault: str, number: signal.Signals) -> None:
    try:
        harm.chance.choice(harm.server.workers()).send_signal(number)
    except (IndexError, psutil.NoSuchProcess):
        harm.note(fault, "no worker was there")
    else:
        harm.note(fault, f"{number.name} sent")


def loop(harm: Harm) -> None:
    """A program that never ends is evaluated."""
    source = pullback.StableHLO(ENDLESS.format(number=harm.next()))
    _evaluate(harm, "loop", source, np.float64(1.0), "value", _LOOPED)


def greed(harm: Harm) -> None:
    """A program asks for 10^13 bytes: of a value, or of a Hessian."""
    if harm.chance.random() < 0.5:
        source = pullback.StableHLO(GREEDY.format(number=harm.next()))
        _evaluate(harm, "greed", source, np.float64(1.0), "value", _GREEDY)
    else:
        wide = pullback.Formula(WIDE.format(number=f"{harm.next()}.0"), x=f"f64[{WIDE_SIZE}]")
        _evaluate(harm, "greed", wide, np.zeros(WIDE_SIZE), "hessian", _GREEDY)


def _evaluate(
    harm: Harm,
    fault: str,
    source: pullback.StableHLO | pullback.Formula,
    x: object,
    want: Literal["value", "hessian"],
    proper: set[str],
) -> None:
    name = f"{fault}-{harm.next()}"
    with harm.connect() as client:
        try:
            client.register(source, name=name).evaluate(x, want=[want])
        except PullbackError as error:
            harm.note(fault, _answer(error), proper)
        else:
            harm.note(fault, "answered: with a result", proper)
        delete(client, name)


def killer(harm: Harm) -> None:
    """A program is registered that kills whoever reads it."""
    name = f"killer-{harm.next()}"
    with harm.connect() as client:
        try:
            client.register(pullback.StableHLO(lethal(harm.next())), name=name)
        except PullbackError as error:
            harm.note("killer", _answer(error), _KILLED)
        else:
            harm.note("killer", "registered", _KILLED)
            delete(client, name)


def _answer(error: PullbackError) -> str:
    return f"{error.reason or error.code}: {error}"


def malformed(harm: Harm) -> None:
    """Bytes that mean nothing go to every kind of method, and messages that are cut off."""
    with grpc.insecure_channel(harm.server.address) as channel:
        for _ in range(_GARBAGE):
            path, data = _cut_off(harm.chance) if harm.chance.random() < 0.5 else _garbage(harm.chance)
            harm.note("malformed", _sent(channel, path, data, harm.tenant.token), _GARBLED)


def _cut_off(chance: Random) -> tuple[str, bytes]:
    return _METHODS[0], _SOUND[: chance.randrange(len(_SOUND))]


def _garbage(chance: Random) -> tuple[str, bytes]:
    return chance.choice(_METHODS), chance.randbytes(chance.randrange(_LONGEST_GARBAGE))


def _sent(channel: grpc.Channel, path: str, data: bytes, token: str) -> str:
    """What bytes are answered; on a stream of evaluations, errors are messages."""
    send: grpc.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream(path)
    metadata = (("authorization", f"Bearer {token}"),)
    try:
        answers = list(send(iter([data]), metadata=metadata, timeout=_PATIENCE_SECONDS))
    except grpc.RpcError as error:
        return f"{error.code().name}: {error.details()}"
    if path != _STREAM:
        return "OK"
    outcomes = {
        evaluation_pb2.EvaluateStreamResponse.FromString(each).WhichOneof("outcome") for each in answers
    }
    return "an error on its stream" if outcomes == {"error"} else f"OK: {outcomes}"


def client_killed(harm: Harm) -> None:
    """A client is killed in mid-stream."""
    address = harm.chance.choice([harm.server.address, harm.server.socket])
    command = [sys.executable, "-m", "chaos.clients.victim", f"--address={address}"]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=harm.environment,
        text=True,
    ) as victim:
        assert victim.stdin is not None
        assert victim.stdout is not None
        victim.stdin.write(f"{harm.tenant.token}\n")
        victim.stdin.flush()
        line = victim.stdout.readline()
        time.sleep(_STREAMING_SECONDS)
        victim.kill()
    harm.note("client killed", "in mid-stream" if line else "before its stream began")


def disk_full(harm: Harm) -> None:
    """The disk is full for a while."""
    assert harm.disk is not None
    harm.disk.fill()
    try:
        time.sleep(_FULL_SECONDS)
    finally:
        harm.disk.free()
    harm.note("disk full", "filled")


def clock_step(harm: Harm) -> None:
    """The wall clock steps by hours, days or years, forward or back."""
    assert harm.clock is not None
    seconds = harm.chance.choice(_STEPS)
    harm.clock.set(seconds)
    harm.note("clock step", f"to {seconds:+d} s")


def restart_front(harm: Harm) -> None:
    """The front is asked to stop, and started again."""
    harm.server.restart()
    harm.note("restart front", "started again")


def kill_front(harm: Harm) -> None:
    """The front is killed, and started again."""
    harm.server.restart(killed=True)
    harm.note("kill front", "started again")


FAULTS: Final[dict[str, Callable[[Harm], None]]] = {
    "kill-worker": kill_worker,
    "stop-worker": stop_worker,
    "loop": loop,
    "greed": greed,
    "killer": killer,
    "malformed": malformed,
    "client-killed": client_killed,
    "disk-full": disk_full,
    "clock-step": clock_step,
}
"""What goes wrong again and again, by the names that the command line knows it by."""

RESTARTS: Final[dict[str, Callable[[Harm], None]]] = {
    "restart-front": restart_front,
    "kill-front": kill_front,
}
"""What goes wrong now and then, so that a front has a long life in between."""
