"""Which thread does what: what is compiled runs while something else compiles."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable

import pytest

from pullback_server.compute.dispatch import Dispatcher


class Steps:
    """Work that notes its name and thread, and may wait until it is let go."""

    def __init__(self) -> None:
        self.done: list[tuple[str, str]] = []
        self.changed = threading.Condition()

    def step(
        self, name: str, *, succeeds: bool = True, after: threading.Event | None = None
    ) -> Callable[[], bool]:
        """Makes a piece of work."""

        def work() -> bool:
            if after is not None:
                assert after.wait(10)
            with self.changed:
                self.done.append((name, threading.current_thread().name.partition("_")[0]))
                self.changed.notify_all()
            return succeeds

        return work

    def wait(self, count: int) -> list[tuple[str, str]]:
        """What was done, once that many pieces were."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.done) >= count, 10)
        return self.done


def run(work: Callable[[], None]) -> None:
    """Runs work where it came in."""
    work()


def evaluate(
    dispatcher: Dispatcher, kind: str, work: Callable[[], bool], *, ready: bool, alone: bool = False
) -> None:
    """Hands over an evaluation."""
    dispatcher.evaluate(kind, work, ready=ready, alone=alone)


def test_what_may_compile_prepares() -> None:
    """An evaluation that may have to compile has the preparing threads, another the evaluating ones."""
    dispatcher, steps = Dispatcher(run), Steps()
    evaluate(dispatcher, "kind", steps.step("first"), ready=False)
    evaluate(dispatcher, "other", steps.step("second"), ready=True)
    assert sorted(steps.wait(2)) == [("first", "prepare"), ("second", "evaluate")]


def test_a_flood_behind_a_compilation_holds_up_nothing() -> None:
    """Any number of requests may wait for a compilation while a known kind is evaluated."""
    dispatcher, steps, compiled = Dispatcher(run), Steps(), threading.Event()
    evaluate(dispatcher, "new", steps.step("new", after=compiled), ready=False)
    for number in range(100):
        evaluate(dispatcher, "new", steps.step(f"waiting {number}"), ready=False)
    evaluate(dispatcher, "known", steps.step("again"), ready=True)
    assert steps.wait(1) == [("again", "evaluate")]
    compiled.set()
    rest = steps.wait(102)[1:]
    assert rest[0] == ("new", "prepare")
    assert {thread for _, thread in rest[1:]} == {"evaluate"}


def test_behind_a_failure() -> None:
    """After a failure those that waited run where they may compile."""
    dispatcher, steps, failed = Dispatcher(run), Steps(), threading.Event()
    evaluate(dispatcher, "kind", steps.step("first", succeeds=False, after=failed), ready=False)
    evaluate(dispatcher, "kind", steps.step("waiting", succeeds=False), ready=False)
    failed.set()
    assert {thread for _, thread in steps.wait(2)} == {"prepare"}


def test_what_is_short_runs_at_once() -> None:
    """What took next to nothing the last time has the thread that it came in on."""
    assert _once_short(Dispatcher(run), Steps().step("short"))


def test_what_is_long_has_a_thread() -> None:
    """What took long the last time leaves the thread that it came in on alone."""
    dispatcher, steps, slow = Dispatcher(run), Steps(), threading.Event()
    evaluate(dispatcher, "kind", steps.step("first", after=slow), ready=True, alone=True)
    time.sleep(0.01)
    slow.set()
    steps.wait(1)
    _settle(dispatcher)
    evaluate(dispatcher, "kind", steps.step("second"), ready=True, alone=True)
    assert steps.wait(2)[1] == ("second", "evaluate")


def test_preparing() -> None:
    """Loading and compiling have the preparing threads."""
    dispatcher, steps = Dispatcher(run), Steps()
    dispatcher.prepare(steps.step("load"))
    assert steps.wait(1) == [("load", "prepare")]


@pytest.mark.skipif(sys.platform != "linux", reason="priorities of threads are Linux's")
def test_what_is_long_makes_way() -> None:
    """Once it is told to, it runs on threads of a lower priority; what is short goes on as it was."""
    dispatcher, steps, priorities = Dispatcher(run), Steps(), {}

    def work(name: str, seconds: float = 0.0) -> Callable[[], bool]:
        def note() -> bool:
            time.sleep(seconds)
            priorities[name] = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
            return steps.step(name)()

        return note

    ours = os.getpriority(os.PRIO_PROCESS, 0)
    evaluate(dispatcher, "long", work("before", 0.01), ready=True)
    steps.wait(1)
    _settle(dispatcher)
    dispatcher.make_way()
    evaluate(dispatcher, "long", work("after"), ready=True)
    assert steps.wait(2)[1] == ("after", "evaluate")
    assert _once_short(dispatcher, work("short"))
    assert priorities["before"] == priorities["short"] == ours < priorities["after"]


def _once_short(dispatcher: Dispatcher, work: Callable[[], bool]) -> bool:
    """Does work until it runs where it comes in: on a busy machine what is short may take long at first."""
    here, threads = threading.current_thread(), list[threading.Thread]()

    def noted() -> bool:
        threads.append(threading.current_thread())
        return work()

    for _ in range(50):
        evaluate(dispatcher, "short", noted, ready=True, alone=True)
        _settle(dispatcher)
        if threads[-1] is here:
            return True
    return False


def _settle(dispatcher: Dispatcher) -> None:
    """Returns when what ran on a thread has been taken note of."""
    done = threading.Event()
    for _ in range(20):
        dispatcher.prepare(lambda: done.set() or True)
        done.wait(10)
        time.sleep(0.005)
