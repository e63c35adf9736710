"""Functions that are deleted while they are evaluated: each request is answered, or told what is gone."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

import pullback

X = np.array([1.0, 2.0, 3.0])


def test_deleted_while_it_is_evaluated(replica: Callable[..., Any]) -> None:
    """Right numbers or NotFoundError, also where no worker had the program yet, again and again."""
    server = replica("--drain-seconds=0")
    server.start()
    outcomes: list[str] = []

    def evaluate(f: pullback.Function, factor: int) -> None:
        try:
            np.testing.assert_array_equal(f.grad(X), 2.0 * factor * X)
            outcomes.append("answered")
        except pullback.NotFoundError:
            outcomes.append("gone")

    with pullback.connect(f"127.0.0.1:{server.port}") as client:
        for factor in range(1, 9):
            source = pullback.Formula(f"sum({factor} * x**2)", x="f64[3]")
            f = client.register(source, name="f")
            threads = [threading.Thread(target=evaluate, args=(f, factor)) for _ in range(4)]
            for thread in threads:
                thread.start()
            client.delete("f")
            for thread in threads:
                thread.join(60)
    assert len(outcomes) == 32
    assert set(outcomes) <= {"answered", "gone"}
    assert not list((server.folder / "functions").iterdir())
