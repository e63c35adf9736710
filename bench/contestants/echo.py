"""The client of the bare echo: what gRPC itself costs in Python, with the generated classes of protobuf."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping

import grpc
import numpy as np
from google.protobuf.wrappers_pb2 import BytesValue

from driving.loops import AsyncCall, Call, Maker
from workload import Floats

_OPTIONS = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # Callers that do not know of each other do not share a connection.
    ("grpc.use_local_subchannel_pool", 1),
]
_METHOD = (BytesValue.SerializeToString, BytesValue.FromString)


def ways(address: str) -> Mapping[str, Maker]:
    """How the echo can be called."""
    target = f"127.0.0.1:{address}"
    streams: list[_Stream] = []

    async def streamed(_: int) -> AsyncCall:
        if not streams:
            streams.append(_Stream(target))
        return streams[0].call

    return {
        "one": lambda _: _blocking(target),
        "task": lambda _: _awaited(target),
        "stream": streamed,
        "batch": lambda _: _blocking(target),
    }


def check(answer: Floats, x: Floats) -> None:
    """Compares what came back with what was sent.

    Raises:
        ValueError: If it is another.
    """
    if not np.array_equal(answer, x):
        raise ValueError("the echo's answer is not what was sent")


def _blocking(target: str) -> Call:
    unary = grpc.insecure_channel(target, _OPTIONS).unary_unary("/Echo/Unary", *_METHOD)
    return lambda x: _array(unary(_message(x)), x)


async def _awaited(target: str) -> AsyncCall:
    unary = grpc.aio.insecure_channel(target, _OPTIONS).unary_unary("/Echo/Unary", *_METHOD)

    async def call(x: Floats) -> Floats:
        return _array(await unary(_message(x)), x)

    return call


class _Stream:
    """One stream whose messages come back in order."""

    def __init__(self, target: str) -> None:
        stream = grpc.aio.insecure_channel(target, _OPTIONS).stream_stream("/Echo/Stream", *_METHOD)
        self._call = stream()
        self._waiting: deque[asyncio.Future[BytesValue]] = deque()
        self._sending = asyncio.Lock()
        self._reader = asyncio.ensure_future(self._read())

    async def call(self, x: Floats) -> Floats:
        answer: asyncio.Future[BytesValue] = asyncio.get_running_loop().create_future()
        async with self._sending:
            self._waiting.append(answer)
            await self._call.write(_message(x))
        return _array(await answer, x)

    async def _read(self) -> None:
        async for message in self._call:
            self._waiting.popleft().set_result(message)


def _message(x: Floats) -> BytesValue:
    return BytesValue(value=x.tobytes())


def _array(message: BytesValue, x: Floats) -> Floats:
    return np.frombuffer(message.value).reshape(x.shape)
