"""Sends the bytes of calls as they are, many at a time."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, Self

import grpc
from fuzz.answers import Answer, answered, refused
from fuzz.seeds.messages import Case, methods
from google.protobuf.message_factory import GetMessageClass

Metadata = tuple[tuple[str, str], ...]

_OPTIONS: Final = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))
_STREAMS: Final = 16
_WATCHING_SECONDS: Final = 0.1
_LATE_SECONDS: Final = 5.0


class Caller:
    """Calls a server; used as a context manager.

    Args:
        address: The server's.
        seconds: How long a call may take.
    """

    def __init__(self, address: str, seconds: float) -> None:
        self._channel = grpc.aio.insecure_channel(address, _OPTIONS)
        # grpc.aio reports INTERNAL where a server refuses a stream that is still being written.
        self._streams = grpc.insecure_channel(address, _OPTIONS)
        self._threads = ThreadPoolExecutor(_STREAMS)
        self._seconds = seconds
        self._methods = methods()

    async def call(self, case: Case, metadata: Metadata = ()) -> Answer:
        """The answer to a case under this metadata; one that takes too long is a fault."""
        method = self._methods[case.path]
        response = GetMessageClass(method.output_type)
        try:
            async with asyncio.timeout(self._seconds + _LATE_SECONDS):
                return answered(case.path, await self._exchange(case, method, metadata), response)
        except grpc.RpcError as error:
            return refused(case.path, error)
        except TimeoutError:
            return Answer(grpc.StatusCode.DEADLINE_EXCEEDED, "", f"{case.path} hangs past its deadline")

    async def _exchange(self, case: Case, method: Any, metadata: Metadata) -> list[bytes]:
        if method.client_streaming:
            loop = asyncio.get_running_loop()
            answers = method.server_streaming
            return await loop.run_in_executor(self._threads, self._stream, case, answers, metadata)
        (message,) = case.messages
        seconds = _WATCHING_SECONDS if case.path.endswith("Health/Watch") else self._seconds
        if method.server_streaming:
            call = self._channel.unary_stream(case.path)(message, timeout=seconds, metadata=metadata)
            return [response async for response in call]
        return [await self._channel.unary_unary(case.path)(message, timeout=seconds, metadata=metadata)]

    def _stream(self, case: Case, answers: bool, metadata: Metadata) -> list[bytes]:
        kind: Any = self._streams.stream_stream if answers else self._streams.stream_unary
        answer = kind(case.path)(iter(case.messages), timeout=self._seconds, metadata=metadata)
        return list(answer) if answers else [answer]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._channel.close()
        self._streams.close()
        self._threads.shutdown()
