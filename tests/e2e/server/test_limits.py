"""Each limit of a real server has its reason, its numbers and its setting, and costs nobody else anything."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import jax.numpy as jnp
import numpy as np
import pytest
from e2e.server.running import Running, Start, details, formula

import pullback
from pullback.v1 import evaluation_pb2
from pullback_server.compute.sandbox import landlock

MIB = 1 << 20
N = 5000
LIMITS = (
    "--max-message-bytes=1MiB",
    "--max-program-bytes=64KiB",
    "--max-operations=40",
    "--max-nesting=8",
    "--max-constant-bytes=1MiB",
    "--max-program-constant-bytes=1500KiB",
    "--max-inputs=5",
    "--max-batch=1000",
    "--max-derivative-order=3",
    "--max-device-memory-bytes=64MiB",
)


@pytest.fixture(name="limited", scope="module")
def limited_fixture(start: Start) -> Running:
    """A server of small limits, with a function of many variables."""
    server = start(*LIMITS)
    server.register("many", formula("x**3 * 2", x=f"f64[{N}]"))
    server.register("few", formula("sum(x**4)", x="f64[2]"))
    server.register("wide", formula("sum(sort(x[:, None] * x[None, :]))", x="f64[4000]"))
    return server


@pytest.fixture(name="client", scope="module")
def client_fixture(limited: Running) -> Iterator[pullback.Client]:
    """A client of it."""
    with pullback.connect(limited.address) as client:
        yield client


def repeated(count: int) -> Callable[[Any], Any]:
    """A function of so many operations."""

    def function(x: Any) -> Any:
        for _ in range(count):
            x = jnp.sin(x)
        return x

    return function


def closing_over(*sizes: int) -> Callable[[Any], Any]:
    """A function with so many constants of so many elements."""
    weights = [np.arange(size, dtype=np.float64) for size in sizes]

    def function(x: Any) -> Any:
        return sum(x[0] * jnp.sum(each * x[1]) for each in weights)

    return function


def _formula(source: str) -> pullback.Formula:
    return pullback.Formula(source, x="f64[2]")


X = np.ones(2)
CASES: list[tuple[str, str, int, Callable[[pullback.Client], object]]] = [
    ("RESULT_TOO_LARGE", "max_result_bytes", MIB, lambda c: c.function("many").jacobian(np.ones(N))),
    (
        "RESULT_TOO_LARGE",
        "max_result_bytes",
        MIB,
        lambda c: c.function("many").derivative(np.ones(N), order=3),
    ),
    ("BATCH_TOO_LARGE", "max_batch", 1000, lambda c: c.function("few")(np.ones((1001, 2)))),
    ("ORDER_TOO_HIGH", "max_derivative_order", 3, lambda c: c.function("few").derivative(X, order=4)),
    ("TOO_MANY_OPERATIONS", "max_operations", 40, lambda c: c.register(repeated(60), X, name="long")),
    (
        "TOO_MANY_OPERATIONS",
        "max_operations",
        40,
        lambda c: c.register(_formula("+".join("x" * 30)), name="sum"),
    ),
    (
        "NESTING_TOO_DEEP",
        "max_nesting",
        8,
        lambda c: c.register(_formula("(" * 9 + "x" + ")" * 9), name="deep"),
    ),
    (
        "PROGRAM_TOO_LARGE",
        "max_program_bytes",
        64 << 10,
        lambda c: c.register(_formula("x" + " " * (64 << 10)), name="blank"),
    ),
    (
        "CONSTANTS_TOO_LARGE",
        "max_constant_bytes",
        MIB,
        lambda c: c.register(closing_over(1 << 18), X, name="weights"),
    ),
    (
        "CONSTANTS_TOO_LARGE",
        "max_program_constant_bytes",
        1500 << 10,
        lambda c: c.register(closing_over(100_000, 100_001), X, name="layers"),
    ),
    ("TOO_MANY_INPUTS", "max_inputs", 5, lambda c: c.register(lambda x: x[0], [X] * 6, name="tensors")),
    (
        "DEVICE_MEMORY_EXCEEDED",
        "max_device_memory_bytes",
        64 * MIB,
        lambda c: c.function("wide")(np.ones(4000)),
    ),
]


@pytest.mark.parametrize(("reason", "setting", "limit", "call"), CASES)
def test_each_limit(
    reason: str, setting: str, limit: int, call: Callable[[pullback.Client], object], client: pullback.Client
) -> None:
    """The error says which, how much, how much is allowed, and what the setting is called."""
    with pytest.raises(pullback.LimitExceededError, match=setting) as caught:
        call(client)
    error = caught.value
    assert (error.reason, error.metadata["setting"], error.metadata["limit"]) == (reason, setting, str(limit))
    assert int(error.metadata["value"]) > limit
    assert error.metadata["value"] in str(error)
    assert not isinstance(error, pullback.OverloadedError)
    np.testing.assert_array_equal(client.function("few")(X), 2.0)


def test_large_results_are_refused_at_once(limited: Running) -> None:
    """Terabytes are predicted in milliseconds: no worker hears of it."""
    with pullback.connect(limited.address) as client:
        function = client.function("many")
        point = np.ones(N)
        seconds = []
        for _ in range(5):
            began = time.perf_counter()
            with pytest.raises(pullback.LimitExceededError, match=str(8 * N**4)):
                function.derivative(point, order=3)
            seconds.append(time.perf_counter() - began)
    assert min(seconds) < 0.05


def _request(nbytes: int) -> bytes:
    message = evaluation_pb2.EvaluateRequest(function="functions/few")
    message.arguments.add(data=bytes(nbytes))
    return message.SerializeToString()


@pytest.mark.parametrize("announced", [True, False])
def test_requests_that_are_too_large(limited: Running, announced: bool) -> None:
    """The server says so itself, and does not read at all what was announced."""
    raw = _request((40 if announced else 3) * MIB)
    metadata = [("pullback-request-bytes", str(len(raw)))] if announced else []
    with pytest.raises(grpc.RpcError, match=r"max_message_bytes, and up to a mebibyte") as caught:
        limited.call("EvaluationService/Evaluate", raw, metadata=metadata)
    info = details(caught.value)[1]
    assert info.reason == "MESSAGE_TOO_LARGE"
    assert (info.metadata["setting"], info.metadata["limit"]) == ("max_message_bytes", str(2 * MIB))
    assert info.metadata["value"] == str(len(raw))


def test_requests_that_grpc_refuses(limited: Running) -> None:
    """What is several times too large and comes unannounced gRPC refuses, in its own words."""
    with pytest.raises(grpc.RpcError, match="larger than max") as caught:
        limited.call("EvaluationService/Evaluate", _request(9 * MIB))
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize("mib", [3, 30])
def test_the_client_tells_both_alike(client: pullback.Client, mib: int) -> None:
    """Whoever refuses it, the reason is the same."""
    with pytest.raises(pullback.LimitExceededError) as caught:
        client.function("few")(np.ones((mib * MIB // 16, 2)))
    assert caught.value.reason == "MESSAGE_TOO_LARGE"


def test_what_workers_have_given_up(limited: Running) -> None:
    """The capabilities say it of each device, and the log with it."""
    if not landlock.version():
        pytest.skip("this kernel has no Landlock, or it is off")
    (device,) = limited.call("CapabilitiesService/GetCapabilities").devices
    assert {"files", "programs", "secrets"} <= set(device.confined)
    assert f"the worker is confined in {', '.join(device.confined)}" in limited.log.read_text()
