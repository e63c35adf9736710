"""Sends requests with their large tensors in shared memory, where that can be; the twins share it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final

import numpy as np

from pullback._sharing.loan import Loan
from pullback._sharing.pool import Block, Pool
from pullback._sharing.segments import hand_over
from pullback.codec.evaluation import Request, Response
from pullback.codec.tensors import Shared, Tensor
from pullback.errors import PullbackError
from pullback.memory.handover import HandoverError, memory_path, socket_path

_log = logging.getLogger(__name__)

LARGE: Final = 128 << 10
"""From how many bytes on a tensor goes into shared memory; below, a message is as fast."""
_PAUSE_SECONDS: Final = 30.0


class Lender:
    """Puts large tensors into memory that is shared with the server.

    Threads may use it at the same time. Whatever fails, requests go as they are.

    Args:
        path: The path of the side channel.
        pool: Where the memory is from; None makes it, and hands it over there.
    """

    def __init__(self, path: str, pool: Pool | None = None) -> None:
        self._path = path
        self.pool = pool or Pool(lambda size: hand_over(path, size))
        self._pause_ends = 0.0
        self._logged = False

    def carry(self, request: Request, result_bytes: int, send: Callable[[Request], Response]) -> Response:
        """Sends a request in shared memory if that can be, else as it is.

        Args:
            request: The request.
            result_bytes: How many bytes its results will take, at most.
            send: Sends a request and gives its response.

        Raises:
            PullbackError: As `send`.
        """
        loan = self.lend(request, result_bytes)
        if loan is None:
            return send(request)
        try:
            return loan.redeem(send(loan.request))
        except PullbackError as error:
            if not loan.is_unknown(error):
                raise
        finally:
            loan.give_up()
        return send(request)

    async def carry_async(
        self, request: Request, result_bytes: int, send: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        """As `carry`; what is large is copied by a thread.

        Raises:
            PullbackError: As `send`.
        """
        if not is_large(request, result_bytes):
            return await send(request)
        loan = await asyncio.to_thread(self.lend, request, result_bytes)
        if loan is None:
            return await send(request)
        try:
            return loan.redeem(await send(loan.request))
        except PullbackError as error:
            if not loan.is_unknown(error):
                raise
        finally:
            loan.give_up()
        return await send(request)

    def lend(self, request: Request, result_bytes: int) -> Loan | None:
        """The request in shared memory; None where there is nothing large, no room or no such memory.

        Args:
            request: The request.
            result_bytes: How many bytes its results will take, at most.
        """
        if not is_large(request, result_bytes) or time.monotonic() < self._pause_ends:
            return None
        blocks: list[Block] = []
        try:
            moved = self._moved(request, blocks)
            results = self.pool.take(result_bytes) if moved and result_bytes >= LARGE else None
        except (OSError, HandoverError) as error:
            self._pause(error)
            moved = results = None
        if moved is None or (results is None and not blocks):
            for block in blocks:
                self.pool.give_back(block)
            return None
        return Loan(self.pool, moved._replace(results=results and _place(results)), blocks, results)

    def close(self) -> None:
        """Has the server give up the memory; results that are in use stay as they are."""
        self.pool.close()

    def _moved(self, request: Request, blocks: list[Block]) -> Request | None:
        """The request with its large tensors in blocks, which are added; None where there is no room."""
        places: list[Shared] = []
        for tensor in _large_tensors(request):
            block = self.pool.take(len(tensor.data))
            if block is None:
                return None
            blocks.append(block)
            places.append(_place(block))
            np.copyto(block.bytes(), np.frombuffer(tensor.data, np.uint8))
        return _with_places(request, places)

    def _pause(self, error: Exception) -> None:
        """Goes on without shared memory for a while: what failed may pass."""
        self._pause_ends = time.monotonic() + _PAUSE_SECONDS
        if not self._logged:
            self._logged = True
            _log.warning("tensors go in messages, not in shared memory: %s (%s)", error, self._path)


def lender_for(address: str) -> Lender | None:
    """What shares memory with the server at an address; None where that is not on this machine.

    Args:
        address: As gRPC takes it; a Unix domain socket's is `unix:/path`.
    """
    path = socket_path(address)
    return None if path is None else Lender(memory_path(path))


def is_large(request: Request, result_bytes: int) -> bool:
    """Whether a request gains by shared memory.

    Args:
        request: The request.
        result_bytes: How many bytes its results will take.
    """
    return result_bytes >= LARGE or bool(_large_tensors(request))


def _large_tensors(request: Request) -> list[Tensor]:
    _, arguments, tangents, cotangents, _ = request
    return [tensor for tensor in (*arguments, *tangents, *cotangents) if len(tensor.data) >= LARGE]


def _with_places(request: Request, places: list[Shared]) -> Request:
    """The request with places instead of the elements of its large tensors."""
    head, *groups, results = request
    rest = iter(places)
    arguments, tangents, cotangents = (
        tuple([_placed(each, next(rest)) if len(each.data) >= LARGE else each for each in group])
        for group in groups
    )
    return Request(head, arguments, tangents, cotangents, results)


def _placed(tensor: Tensor, place: Shared) -> Tensor:
    return Tensor(tensor.element, tensor.shape, b"", place)


def _place(block: Block) -> Shared:
    return Shared(block.segment.number, block.offset, block.nbytes)
