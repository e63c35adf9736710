"""Which states of a loop are kept, and where more are put when it is reversed.

A loop is cut into blocks of trips. While it runs, the states before blocks 0, s, 2s, ... are kept, where s
starts at 1 and doubles whenever the slots are full. When it is reversed, block after block from the
last, the state before a block is computed from the nearest one kept before it; on the way further states
are put into the slots that are free, so that no trip is repeated more often than it must be (treeverse:
Griewank, "Achieving logarithmic growth of temporal and spatial complexity in reverse automatic
differentiation", 1992). Memory is bounded, whatever the number of trips, which may be unknown beforehand.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb, isqrt
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

_REPEATS: Final = 32
_LARGEST: Final = 2**31 - 1
_SMALLEST_BLOCK: Final = 4
_LARGEST_BLOCK: Final = 1024


@dataclass(frozen=True, slots=True)
class Schedule:
    """How many states of a loop are kept.

    Attributes:
        block: The trips of a block, whose states are all held at once when it is reversed.
        kept: The most states kept while the loop runs; even.
        spare: The slots beside them, which are used when it is reversed; even, too.
    """

    block: int = 16
    kept: int = 16
    spare: int = 8

    @classmethod
    def of(cls, max_trips: int | None) -> Schedule:
        """The schedule for a loop of so many trips: it repeats each trip once, and holds O(sqrt) states.

        With more trips than that it holds no more states, and repeats more; so does one without a bound.
        """
        if max_trips is None:
            return cls()
        block = min(max(isqrt(max(max_trips - 1, 0)) + 1, _SMALLEST_BLOCK), _LARGEST_BLOCK)
        return cls(block, block + block % 2)

    @property
    def slots(self) -> int:
        """The number of states that there is room for."""
        return self.kept + self.spare

    def advance(self, blocks: jax.Array, free: jax.Array) -> jax.Array:
        """How many blocks to go before the next state is kept.

        Args:
            blocks: How many blocks lie from the state at hand to the end of the block to be reversed; 2 at
                least.
            free: How many slots are free.
        """
        reach = lax.dynamic_index_in_dim(jnp.asarray(self._reach()), free, 0, keepdims=False)
        repeats = jnp.sum(reach < blocks, dtype=jnp.int32)
        step = lax.dynamic_index_in_dim(reach, repeats - 1, 0, keepdims=False)
        return jnp.where(free == 0, blocks - 1, jnp.clip(step, 1, blocks - 1))

    def _reach(self) -> np.ndarray[Any, np.dtype[np.int32]]:
        """How many blocks so many free slots reach back over, where none is run more than so many times."""
        rows = [
            [min(comb(free + 1 + repeats, repeats), _LARGEST) for repeats in range(_REPEATS)]
            for free in range(self.slots + 1)
        ]
        return np.array(rows, np.int32)
