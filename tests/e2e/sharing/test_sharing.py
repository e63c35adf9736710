"""Tenants on one real worker: floods beside calm calls, shares by weight, limits, priorities, leaving."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from statistics import median, quantiles
from typing import Any

import grpc
import numpy as np
import pytest
from e2e.server.running import Running, details, request

import pullback
from pullback.v1 import administration_pb2, errors_pb2

Connect = Callable[..., pullback.Client]
X = np.linspace(0.0, 1.0, 48)
WIDE = np.tile(X, (128, 1))
LITTLE = np.array([1.0, 2.0, 3.0])

pytestmark = pytest.mark.usefixtures("registered")


def seconds(call: Callable[[], object]) -> float:
    """How long a call takes."""
    began = time.monotonic()
    call()
    return time.monotonic() - began


@contextmanager
def flooded(*functions: Any, at_once: int = 12) -> Iterator[list[float]]:
    """Has so many threads each call functions on wide batches inside the block; gives what calls took."""
    ended = threading.Event()
    took: list[float] = []

    def ask(function: Any) -> None:
        while not ended.is_set():
            took.append(seconds(lambda: function(WIDE)))

    with ThreadPoolExecutor(at_once * len(functions)) as pool:
        asking = [pool.submit(ask, function) for function in functions for _ in range(at_once)]
        try:
            time.sleep(0.3)
            yield took
        finally:
            ended.set()
    for each in asking:
        each.result()


def until(condition: Callable[[], bool]) -> None:
    """Waits until something is so."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < 30.0


def used(server: Running, token: str) -> dict[str, administration_pb2.Tenant]:
    """What the tenants use."""
    answer = server.call("AdministrationService/ListTenants", metadata=[("authorization", f"Bearer {token}")])
    return {tenant.name: tenant for tenant in answer.tenants}


def test_a_flood_of_wide_batches(connect: Connect) -> None:
    """Beside the flood of one tenant, the calls of another hardly wait, and all results are right.

    How long they wait is bounded where the clock is the tests' own, in `test_fairness`. Here it is a small
    part of what the flood itself waits; served in order of arrival it would be all of that.
    """
    calm = connect("calm").function("little")
    work = connect("flood", join=False).function("work")
    expected = work(X)
    for _ in range(4):
        np.testing.assert_allclose(work(WIDE), expected)
        calm(LITTLE)
    with flooded(work) as took:
        beside = [seconds(lambda: calm(LITTLE)) for _ in range(50)]
        np.testing.assert_allclose(work(WIDE), expected)
    assert median(beside) < median(took) / 5
    assert quantiles(beside, n=10)[-1] < median(took)


def test_shares(connect: Connect, server: Running, tokens: dict[str, str]) -> None:
    """Two floods have device time by their weights."""
    functions = [connect(tenant, join=False).function("work") for tenant in ("flood", "heavy")]
    for function in functions:
        for _ in range(4):
            function(WIDE)
    with flooded(*functions):
        before = used(server, tokens["calm"])
        time.sleep(1.5)
        after = used(server, tokens["calm"])
    had = {
        name: after[name].device_time.ToTimedelta() - before[name].device_time.ToTimedelta()
        for name in ("flood", "heavy")
    }
    assert had["heavy"] / had["flood"] == pytest.approx(3.0, rel=0.3)


def test_a_tenants_places(connect: Connect) -> None:
    """Who has one place is refused a second call, and told when to come back; a call that goes frees it."""
    client = connect("single", join=False)
    function = client.function("work")
    function(WIDE)
    with ThreadPoolExecutor(8) as pool:
        outcomes = [pool.submit(function, WIDE) for _ in range(8)]
        errors = [outcome.exception() for outcome in outcomes]
    refused = [error for error in errors if error is not None]
    assert None in errors
    assert all(isinstance(error, pullback.OverloadedError) for error in refused)
    for error in refused:
        assert isinstance(error, pullback.OverloadedError)
        assert error.reason == "TENANT_OVERLOADED"
        assert error.retry_after
    assert function(X) > 0.0


def test_a_rate(connect: Connect) -> None:
    """Clients that come too often are held to the rate by waiting as long as they are told."""
    function = connect("slow", join=False).function("little")
    began = time.monotonic()
    for _ in range(8):
        assert function(LITTLE) == 14.0
    assert 1.0 <= time.monotonic() - began < 6.0


def test_a_rate_is_told(server: Running, tokens: dict[str, str]) -> None:
    """Who comes too often is told so, with the numbers, and when to come back."""
    token = [("authorization", f"Bearer {tokens['slow']}")]
    message = request("little", "VALUE", LITTLE)

    def flood() -> None:
        for _ in range(100):
            server.call("EvaluationService/Evaluate", message, metadata=token)

    with pytest.raises(grpc.RpcError) as caught:
        flood()
    status, info = details(caught.value)
    assert (caught.value.code(), info.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "RATE_LIMITED")
    delay = errors_pb2.RetryInfo.FromString(status.details[1].value).retry_delay
    assert 0 < delay.ToMilliseconds() <= 1000
    assert (info.metadata["setting"], info.metadata["limit"]) == ("requests_per_second", "4")


async def test_a_rate_for_tasks(server: Running, tokens: dict[str, str]) -> None:
    """The asynchronous twin waits, too."""
    async with pullback.aio.connect(server.address, token=tokens["slow"], join=False) as client:
        function = await client.function("little")
        began = time.monotonic()
        for _ in range(6):
            assert await function(LITTLE) == 14.0
        assert time.monotonic() - began >= 0.5


def test_who_goes_frees_its_place(server: Running, tokens: dict[str, str]) -> None:
    """A tenant's only place is free again within 100 ms of its call being given up."""
    token = [("authorization", f"Bearer {tokens['single']}")]
    message = request("work", "VALUE", np.tile(X, (2048, 1)))
    rpc = server.channel.unary_unary(
        "/pullback.v1.EvaluationService/Evaluate",
        request_serializer=lambda each: each.SerializeToString(),
        response_deserializer=lambda raw: raw,
    )
    for _ in range(3):
        call = rpc.future(message, metadata=token, timeout=60)
        until(lambda: used(server, tokens["calm"])["single"].in_flight == 1)
        call.cancel()
        took = seconds(lambda: until(lambda: used(server, tokens["calm"])["single"].in_flight == 0))
        assert took < 0.1 + 0.1  # and what asking takes


def test_late(connect: Connect) -> None:
    """A call whose time is over while it waits, here for all of a higher priority, ends then."""
    work = connect("flood", join=False).function("work")
    low = connect("flood", join=False, priority="low").function("work")
    low(X)
    with flooded(work):
        began = time.monotonic()
        with pytest.raises(pullback.DeadlineExceededError):
            low(X, timeout=0.3)
        assert time.monotonic() - began < 0.9


def test_priorities(connect: Connect) -> None:
    """A high priority goes before the flood of its own tenant, a normal one behind those that came before."""
    work = connect("flood", join=False).function("work")
    high = connect("flood", join=False, priority="high").function("work")
    high(X)
    with flooded(work):
        sooner, later = [], []
        for _ in range(5):
            sooner.append(seconds(lambda: high(X)))
            later.append(seconds(lambda: work(X)))
    assert median(sooner) < median(later) / 2
