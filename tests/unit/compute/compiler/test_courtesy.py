"""Compiling leaves room for others."""

from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest

from pullback_server.compute.compiler import courtesy as courtesy_module
from pullback_server.compute.compiler.courtesy import Courtesy


@dataclass
class Lowered:
    """What XLA would compile; notes how it is run."""

    together: threading.Barrier
    threads: set[int] = field(default_factory=set)
    priorities: list[int] = field(default_factory=list)

    def compile(self) -> str:
        """Meets another compilation."""
        self.together.wait(10)
        self.threads.add(threading.get_ident())
        self.priorities.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        return "compiled"


def test_few_compile_at_a_time() -> None:
    """Six programs are compiled by two threads, two at a time."""
    lowered: Any = Lowered(threading.Barrier(2))
    courtesy = Courtesy(2)
    with ThreadPoolExecutor(6) as threads:
        assert list(threads.map(lambda _: courtesy.compile(lowered), range(6))) == ["compiled"] * 6
    assert len(lowered.threads) == 2
    assert threading.get_ident() not in lowered.threads


@pytest.mark.skipif(sys.platform != "linux", reason="priorities of threads are Linux's")
def test_compiling_steps_back() -> None:
    """Its threads have a lower priority than this one, which keeps its own."""
    ours = os.getpriority(os.PRIO_PROCESS, 0)
    lowered: Any = Lowered(threading.Barrier(1))
    Courtesy(1).compile(lowered)
    assert all(priority > ours for priority in lowered.priorities)
    assert os.getpriority(os.PRIO_PROCESS, 0) == ours


def test_a_failure_reaches_the_one_who_asked() -> None:
    """What the compiler raises is raised."""
    lowered: Any = Lowered(threading.Barrier(1))
    lowered.together.abort()
    with pytest.raises(threading.BrokenBarrierError):
        Courtesy(1).compile(lowered)


def test_one_traces_at_a_time() -> None:
    """Of six threads no more than one is inside."""
    courtesy, inside, most = Courtesy(1), [], []

    def trace(_: int) -> None:
        with courtesy.tracing():
            inside.append(1)
            most.append(len(inside))
            threading.Event().wait(0.01)
            inside.pop()

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(trace, range(12)))
    assert max(most) == 1


def test_what_takes_for_ever_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has waited for long goes ahead, and leaves the turn to whom it belongs."""
    monkeypatch.setattr(courtesy_module, "_PATIENCE_SECONDS", 0.05)
    courtesy = Courtesy(1)
    with courtesy.tracing():
        with ThreadPoolExecutor(1) as threads:
            assert threads.submit(lambda: _inside(courtesy)).result(10)
        assert courtesy._tracing.locked()
    assert not courtesy._tracing.locked()


def _inside(courtesy: Courtesy) -> bool:
    with courtesy.tracing():
        return True
