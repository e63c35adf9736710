"""What evaluations have in hand of the budgets while they are answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from pullback.codec.evaluation import Request, decode_request
from pullback.program.container import Formula, Program
from pullback.program.tensors import parse_tensor_type
from pullback.v1 import evaluation_pb2 as pb
from pullback.v1 import tensor_pb2
from pullback_server.errors import Reason, ServiceError
from pullback_server.model import evaluation as model
from pullback_server.model.functions import Registered
from pullback_server.model.tickets import Ticket
from pullback_server.registry.records import Registration
from pullback_server.registry.registry import open_registry
from pullback_server.scheduling.scheduler import Scheduler
from pullback_server.services.budget import SMALL, Budgets, budgets
from pullback_server.services.evaluation import Evaluation, StreamRequest, StreamResponse
from pullback_server.services.holding import at_the_end
from pullback_server.services.requests.limits import Limits

SIZE = SMALL // 2
RESULT = parse_tensor_type(f"f64[{SIZE}]")
NBYTES = RESULT.nbytes


class _Machine:
    """A scheduler that answers with large results, when it is let."""

    def __init__(self) -> None:
        self.let = asyncio.Event()

    async def evaluate(self, _evaluation: model.Evaluation, _ticket: Ticket) -> model.Outcome:
        await self.let.wait()
        return model.Outcome(((model.Tensor(RESULT, bytes(NBYTES)),),), model.Timing())


@pytest.fixture(name="both")
def both_fixture() -> Budgets:
    """Room for a few."""
    return budgets(1 << 26)


@pytest.fixture(name="machine")
def machine_fixture() -> _Machine:
    """What evaluates."""
    return _Machine()


@pytest.fixture(name="service")
def service_fixture(
    both: Budgets,
    machine: _Machine,
    limits: Limits,
    registered: Callable[..., Registered],
    tmp_path: Path,
) -> Iterator[Evaluation]:
    """The service, with the function f of an array."""
    text = str(RESULT)
    program = Program(Formula("x"), registered(text, x=text).signature)
    large = replace(limits, message_bytes=1 << 24, result_bytes=1 << 60)
    with open_registry(tmp_path) as registry:
        registry.register(Registration("f", program))
        yield Evaluation(registry, cast(Scheduler, machine), large, both)


def asked(want: pb.Want) -> Request:
    """A request for something of f."""
    x = tensor_pb2.Tensor(element_type=tensor_pb2.ELEMENT_TYPE_F64, shape=[SIZE], data=bytes(NBYTES))
    message = pb.EvaluateRequest(function="functions/f", wants=[want], arguments=[x])
    return decode_request(message.SerializeToString())


VALUE = pb.Want(quantity=pb.QUANTITY_VALUE)
SPARSE = pb.Want(quantity=pb.QUANTITY_JACOBIAN, sparse=True)


@pytest.mark.parametrize(("want", "before"), [(VALUE, NBYTES), (SPARSE, 0)], ids=["dense", "sparse"])
async def test_results_take_room(
    service: Evaluation, both: Budgets, machine: _Machine, want: pb.Want, before: int
) -> None:
    """Dense ones before they are computed, sparse ones when it is known how large they are."""
    ends = list[Callable[[object], None]]()
    at_the_end.set(ends.append)
    answer = asyncio.create_task(service.evaluate(asked(want)))
    await asyncio.sleep(0.01)
    assert both.results.used == before
    machine.let.set()
    await answer
    assert both.results.used == NBYTES
    for end in ends:
        end(None)
    assert both.results.used == 0


async def test_results_that_wait_for_room_take_some(
    service: Evaluation, both: Budgets, machine: _Machine
) -> None:
    """Those that were computed before it was known how large they are: as many wait as have room to do so."""
    at_the_end.set(lambda _: None)
    machine.let.set()
    await both.results.take(both.results.limit)
    most = both.computed.limit // NBYTES
    answers = [asyncio.create_task(service.evaluate(asked(SPARSE))) for _ in range(most + 2)]
    await asyncio.sleep(0.1)
    refused = [answer.exception() for answer in answers if answer.done()]
    assert [error.reason for error in refused if isinstance(error, ServiceError)] == [Reason.OVERLOADED] * 2
    both.results.give_back(both.results.limit)
    await asyncio.gather(*answers, return_exceptions=True)
    assert (both.results.used, both.computed.used) == (most * NBYTES, 0)


async def test_an_id_that_comes_twice_gives_back_its_own_room_only(
    service: Evaluation, both: Budgets, machine: _Machine
) -> None:
    """What the first has in hand stays until its own answer has been written."""
    ids = iter([7, 7])
    written = asyncio.Queue[StreamResponse]()

    async def read() -> StreamRequest | None:
        id_ = next(ids, None)
        return None if id_ is None else (id_, asked(VALUE))

    stream = asyncio.create_task(service.evaluate_stream(read, written.put))
    id_, refusal = await asyncio.wait_for(written.get(), 10)
    assert id_ == 7
    assert isinstance(refusal, bytes)
    await asyncio.sleep(0.01)
    assert (both.requests.used, both.results.used) == (NBYTES, NBYTES)
    machine.let.set()
    await asyncio.wait_for(stream, 10)
    assert (both.requests.used, both.results.used) == (0, 0)
