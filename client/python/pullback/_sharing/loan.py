"""One request in shared memory, from its sending to its answer."""

from __future__ import annotations

from typing import Final

from pullback._sharing.pool import Block, Bytes, Pool
from pullback.codec.evaluation import Request, Response
from pullback.codec.tensors import Tensor
from pullback.errors import PullbackError, ServerError

_SMALL: Final = 32 << 10


class Loan:
    """The blocks that a request takes. One that is dropped without an answer is given up.

    Args:
        pool: Where the blocks are from.
        request: The request, with places where its large tensors were.
        inputs: The blocks of its tensors.
        results: The block for its results; None where they come in the response.
    """

    __slots__ = ("_inputs", "_pool", "_results", "request")

    def __init__(self, pool: Pool, request: Request, inputs: list[Block], results: Block | None) -> None:
        self.request = request
        self._pool = pool
        self._inputs = inputs
        self._results = results

    def redeem(self, response: Response) -> Response:
        """The response with the results' elements, where they lie; their memory lives as long as they do.

        Raises:
            ServerError: If the server names another place than it was given.
        """
        block, self._results = self._results, None
        self._give_back(lost=False)
        if block is None:
            return response
        memory = self._pool.lend(block)
        results = [tuple([_found(tensor, block, memory) for tensor in some]) for some in response.results]
        return response._replace(results=tuple(results))

    def is_unknown(self, error: PullbackError) -> bool:
        """Gives everything back after an error, and says whether the server did not know the memory.

        Where the server did not answer itself it may still be at work, and what it writes to is given up.
        """
        unknown = error.reason == "SEGMENT_NOT_FOUND"
        self._give_back(lost=unknown or not error.reason)
        return unknown

    def give_up(self) -> None:
        """Gives up what was not given back after an answer: the server may still write there."""
        self._give_back(lost=True)

    def __del__(self) -> None:
        self.give_up()

    def _give_back(self, *, lost: bool) -> None:
        blocks, self._inputs = self._inputs, []
        if self._results is not None:
            blocks.append(self._results)
            self._results = None
        for block in blocks:
            self._pool.give_back(block, lost=lost)


def _found(tensor: Tensor, block: Block, memory: Bytes) -> Tensor:
    """A result with its elements."""
    element, shape, _, shared = tensor
    if shared is None:
        return tensor
    begin = shared.offset - block.offset
    end = begin + shared.length
    if shared.segment != block.segment.number or not 0 <= begin <= end <= block.nbytes:
        message = f"the server put a result at {shared.offset}, where it was not to write"
        raise ServerError(message, code="INTERNAL")
    # A small result that the user keeps must not keep the whole block.
    part = memory[begin:end].copy() if shared.length < _SMALL else memory[begin:end]
    return Tensor(element, shape, part.data)
