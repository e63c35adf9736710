"""Keeps JAX 0.10 from waiting for itself on a CPU. Knows neither JAX nor the rest of Pullback.

In jaxlib 0.10 a batched LAPACK call (cholesky, triangular_solve, eigh ...) hands pieces of its batch to
XLA's thread pool and blocks one of the pool's own threads until they are done. As many such calls at
once as the pool has threads wait for each other for ever; on two cores, the gradient of a batch of
Gaussian processes is enough. jaxlib 0.11 does these batches in one thread.
"""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, version
from typing import Final

_FIRST_WITHOUT: Final = (0, 11)


def prevent_deadlock() -> None:
    """Gives XLA's pool one thread where jaxlib needs it; to be called before JAX is imported.

    With one thread the batch is not cut into pieces, so that nothing waits. `NPROC` is the variable by
    which XLA learns the size of its pool; a value that the user has set stands.
    """
    try:
        installed = version("jaxlib")
    except PackageNotFoundError:
        return
    if tuple(map(int, installed.split(".")[:2])) < _FIRST_WITHOUT:
        os.environ.setdefault("NPROC", "1")
