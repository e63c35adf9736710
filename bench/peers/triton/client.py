"""The client of Triton: its own Python client for gRPC."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

import numpy as np
import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_aio
from tritonclient.utils import shared_memory

from driving.loops import AsyncCall, Call, Maker, Submit
from workload import Floats

_OUTPUTS = [triton.InferRequestedOutput("y")]
_SEPARATE = [("grpc.use_local_subchannel_pool", 1)]
_UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
_OPTIONS = [*_SEPARATE, *_UNLIMITED]
_names = itertools.count()


def ways(address: str) -> Mapping[str, Maker]:
    """How Triton can be called."""
    target = f"127.0.0.1:{address}"
    return {
        "one": lambda _: _one(_caller(target, "gradient")),
        "task": lambda _: _awaited(target),
        "stream futures": lambda _: _streamed(target),
        "batch": lambda _: _caller(target, "gradient"),
        "batch shared": lambda count: _sharing(target, count),
        "hessian": lambda _: _caller(target, "hessian"),
    }


def _caller(target: str, model: str) -> Call:
    client = triton.InferenceServerClient(target, channel_args=_OPTIONS)

    def call(x: Floats) -> Floats:
        answer: Floats = client.infer(model, [_input(x)], outputs=_OUTPUTS).as_numpy("y")
        return answer

    return call


def _one(call: Call) -> Call:
    return lambda x: call(x[None])[0]


async def _awaited(target: str) -> AsyncCall:
    client = triton_aio.InferenceServerClient(target, channel_args=_OPTIONS)

    async def call(x: Floats) -> Floats:
        answer = await client.infer("gradient", [_input(x[None])], outputs=_OUTPUTS)
        gradient: Floats = answer.as_numpy("y")[0]
        return gradient

    return call


def _streamed(target: str) -> Submit:
    """Requests on one stream, whose answers are told apart by their ids."""
    client = triton.InferenceServerClient(target, channel_args=_OPTIONS)
    waiting: dict[str, Future[Floats]] = {}

    def settle(result: Any, error: Exception | None) -> None:
        if error is not None:
            for future in waiting.values():
                future.set_exception(error)
        else:
            waiting.pop(result.get_response().id).set_result(result.as_numpy("y")[0])

    client.start_stream(settle)

    def submit(x: Floats) -> Future[Floats]:
        name = str(next(_names))
        future = waiting[name] = Future[Floats]()
        client.async_stream_infer("gradient", [_input(x[None])], outputs=_OUTPUTS, request_id=name)
        return future

    return submit


def _sharing(target: str, count: int) -> Call:
    """Arguments and results in shared memory; one copy into it and one out of it, as users make them."""
    client = triton.InferenceServerClient(target, channel_args=_OPTIONS)
    shape = (count, 8)
    size = count * 64
    regions = {}
    for part in ("arguments", "results"):
        name = f"{part}-{next(_names)}-{id(client)}"
        regions[part] = name, shared_memory.create_shared_memory_region(name, f"/{name}", size)
        client.register_system_shared_memory(name, f"/{name}", size)
    argument = triton.InferInput("x", shape, "FP64")
    argument.set_shared_memory(regions["arguments"][0], size)
    output = triton.InferRequestedOutput("y")
    output.set_shared_memory(regions["results"][0], size)

    def call(x: Floats) -> Floats:
        shared_memory.set_shared_memory_region(regions["arguments"][1], [x])
        client.infer("gradient", [argument], outputs=[output])
        answer: Floats = shared_memory.get_contents_as_numpy(regions["results"][1], np.float64, shape)
        return np.array(answer)

    return call


def _input(x: Floats) -> triton.InferInput:
    argument = triton.InferInput("x", x.shape, "FP64")
    argument.set_data_from_numpy(x)
    return argument
