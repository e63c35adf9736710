"""A bare grpc.aio echo of one bytes field: what gRPC itself costs in Python.

As a program it is the server: `python bench/echo.py` prints its port.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from subprocess import PIPE, Popen
from sys import executable

import grpc
import numpy as np
from google.protobuf.wrappers_pb2 import BytesValue

from workload import Floats

UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


async def serve() -> None:
    """Answers each message with its own bytes until the process ends."""
    server = grpc.aio.server(options=UNLIMITED)
    handlers = {
        "Unary": grpc.unary_unary_rpc_method_handler(
            _echo, BytesValue.FromString, BytesValue.SerializeToString
        ),
        "Stream": grpc.stream_stream_rpc_method_handler(
            _echo_all, BytesValue.FromString, BytesValue.SerializeToString
        ),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("Echo", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)
    await server.wait_for_termination()


async def _echo(request: BytesValue, _: grpc.aio.ServicerContext[BytesValue, BytesValue]) -> BytesValue:
    return BytesValue(value=request.value)


async def _echo_all(
    requests: AsyncIterator[BytesValue], _: grpc.aio.ServicerContext[BytesValue, BytesValue]
) -> AsyncIterator[BytesValue]:
    async for request in requests:
        yield BytesValue(value=request.value)


@contextmanager
def echo() -> Iterator[Callable[[Floats], Floats]]:
    """Starts the server, and gives a call that sends an array and has it back."""
    with Popen([executable, __file__], stdout=PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            with grpc.insecure_channel(f"127.0.0.1:{int(process.stdout.readline())}", UNLIMITED) as channel:
                yield _caller(channel)
        finally:
            process.terminate()


def _caller(channel: grpc.Channel) -> Callable[[Floats], Floats]:
    unary = channel.unary_unary("/Echo/Unary", BytesValue.SerializeToString, BytesValue.FromString)
    return lambda x: np.frombuffer(unary(BytesValue(value=x.tobytes())).value).reshape(x.shape)


if __name__ == "__main__":
    asyncio.run(serve())
