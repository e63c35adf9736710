"""Constants on the device: each once, however many programs use it, and as long as one does."""

from __future__ import annotations

from collections.abc import Iterable
from threading import Lock
from weakref import WeakValueDictionary

import jax
import jax.numpy as jnp

from pullback.program.container import Constant
from pullback_server.compute.arrays import to_array
from pullback_server.model.evaluation import Buffer, Tensor


class ConstantsMissingError(LookupError):
    """A program needs constants that are not here; bring them and load it again.

    Args:
        digests: The digests of their bytes.
    """

    def __init__(self, digests: tuple[str, ...]) -> None:
        super().__init__(f"the constants {', '.join(digests)} are not here")
        self.digests = digests


class Constants:
    """Gives programs their constants. Threads may call it at the same time.

    What was brought is kept until it is released; what was given lives as long as a program holds it.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._brought: dict[str, Buffer] = {}
        self._arrays: WeakValueDictionary[Constant, jax.Array] = WeakValueDictionary()

    def bring(self, digest: str, data: Buffer) -> None:
        """Takes the bytes of a constant, which have the digest."""
        with self._lock:
            self._brought[digest] = data

    def give(self, constants: Iterable[Constant]) -> tuple[jax.Array, ...]:
        """The arrays of constants.

        Raises:
            ConstantsMissingError: If some have to be brought first.
            ServiceError: MALFORMED_REQUEST if the bytes of one are no array of its type.
        """
        with self._lock:
            constants = tuple(constants)
            held = {constant: self._arrays.get(constant) for constant in constants}
            absent = [constant.digest for constant, array in held.items() if array is None]
            missing = tuple(dict.fromkeys(digest for digest in absent if digest not in self._brought))
            if missing:
                raise ConstantsMissingError(missing)
            for constant, array in held.items():
                if array is None:
                    held[constant] = self._arrays[constant] = self._on_device(constant)
            return tuple(array for constant in constants if (array := held[constant]) is not None)

    def release(self, constants: Iterable[Constant]) -> None:
        """Lets go of the bytes that were brought for a program, once it is loaded or refused."""
        with self._lock:
            for constant in constants:
                self._brought.pop(constant.digest, None)

    def _on_device(self, constant: Constant) -> jax.Array:
        return jnp.asarray(to_array(Tensor(constant.type, self._brought[constant.digest])))
