"""A client that does nothing wrong, beside one that does: its numbers must be right all the time."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Final, Self

import numpy as np

import pullback

NAME: Final = "innocent-5f3a9c"
_EPSILON: Final = 1e-12
_PAUSE_SECONDS: Final = 0.05


class Innocent(threading.Thread):
    """Asks for values, gradients and Hessians of a function of its own, one after another.

    Args:
        address: The server's.
        patience: How many seconds a call may take, with the client's own retries.
        token: What it shows a server that asks who calls.
    """

    def __init__(self, address: str, patience: float, token: str | None = None) -> None:
        super().__init__(daemon=True)
        self.answers = 0
        self.longest = 0.0
        self.faults: list[str] = []
        self._address = address
        self._patience = patience
        self._token = token
        self._ended = threading.Event()
        self._generator = np.random.default_rng(0)

    def run(self) -> None:
        """Asks until the end."""
        with pullback.connect(self._address, timeout=self._patience, token=self._token) as client:
            function = client.register(
                pullback.Formula("sum(sin(x) * y**2)", x="f64[3]", y="f64[3]"), name=NAME
            )
            while not self._ended.wait(_PAUSE_SECONDS) or not (self.answers or self.faults):
                self._ask(function)

    def _ask(self, function: pullback.Function) -> None:
        x, y = self._generator.normal(size=(2, 3))
        began = time.monotonic()
        try:
            gradient = function.grad(x, y)
            hessian = function.hessian(x, y)
        except pullback.PullbackError as error:
            self.faults.append(f"an innocent call failed: {type(error).__name__}: {error}")
            return
        self.longest = max(self.longest, time.monotonic() - began)
        self.answers += 1
        wrong = max(
            np.max(np.abs(gradient - np.cos(x) * y**2)),
            np.max(np.abs(hessian - np.diag(-np.sin(x) * y**2))),
        )
        if not wrong < _EPSILON * 100:
            self.faults.append(f"an innocent call got numbers that are wrong by {wrong}")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self.join(self._patience)
        if self.is_alive():
            self.faults.append(f"an innocent call hung for {self._patience} s")
        elif self.answers == 0:
            self.faults.append("no innocent call was answered")
