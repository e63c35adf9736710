"""Which thread does what: what is compiled runs while something else compiles."""

from __future__ import annotations

import threading
from collections.abc import Callable

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


def test_first_of_a_kind_prepares() -> None:
    """The first evaluation of a kind may compile; the next ones have the evaluating threads."""
    dispatcher, steps = Dispatcher(), Steps()
    dispatcher.evaluate("kind", steps.step("first"))
    steps.wait(1)
    dispatcher.evaluate("kind", steps.step("second"))
    dispatcher.evaluate("other", steps.step("third"))
    assert sorted(steps.wait(3)) == [("first", "prepare"), ("second", "evaluate"), ("third", "prepare")]


def test_a_flood_behind_a_compilation_holds_up_nothing() -> None:
    """Any number of requests may wait for a compilation while a known kind is evaluated."""
    dispatcher, steps, compiled = Dispatcher(), Steps(), threading.Event()
    dispatcher.evaluate("known", steps.step("known"))
    steps.wait(1)
    dispatcher.evaluate("new", steps.step("new", after=compiled))
    for number in range(100):
        dispatcher.evaluate("new", steps.step(f"waiting {number}"))
    dispatcher.evaluate("known", steps.step("again"))
    assert steps.wait(2)[1] == ("again", "evaluate")
    compiled.set()
    rest = steps.wait(103)[2:]
    assert rest[0] == ("new", "prepare")
    assert {thread for _, thread in rest[1:]} == {"evaluate"}


def test_failures_are_not_known() -> None:
    """After a failure those that waited run where they may compile, and so does the next one."""
    dispatcher, steps, failed = Dispatcher(), Steps(), threading.Event()
    dispatcher.evaluate("kind", steps.step("first", succeeds=False, after=failed))
    dispatcher.evaluate("kind", steps.step("waiting", succeeds=False))
    failed.set()
    steps.wait(2)
    dispatcher.evaluate("kind", steps.step("next"))
    assert {thread for _, thread in steps.wait(3)} == {"prepare"}


def test_preparing() -> None:
    """Loading and compiling have the preparing threads."""
    dispatcher, steps = Dispatcher(), Steps()
    dispatcher.prepare(steps.step("load"))
    assert steps.wait(1) == [("load", "prepare")]
