"""A loop that goes on while one of its steps takes long."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

import pytest

from pullback_server.compute.relay import Relay


class Script:
    """Steps that are done one after the other; a callable is done as what should be brief."""

    def __init__(self, *steps: Callable[[], None] | None) -> None:
        self.steps = deque(steps)
        self.threads: list[int] = []
        self.relay = Relay(self.step)

    def step(self) -> bool:
        """Does the next step."""
        if not self.steps:
            return False
        work = self.steps.popleft()
        self.threads.append(threading.get_ident())
        if work is not None:
            self.relay.brief(work)
        return True


def test_steps_are_done_in_order() -> None:
    """Each step is done once, and in order."""
    done: list[int] = []
    script = Script(*(lambda number=number: done.append(number) for number in range(200)))
    script.relay.run()
    assert done == list(range(200))


def test_a_long_step_holds_nothing_up() -> None:
    """While one step takes long, the next are done, and a long one among these holds nothing up either."""
    first, second = threading.Event(), threading.Event()
    script = Script(None, lambda: _wait(first), None, lambda: _wait(second), second.set, first.set)
    script.relay.run()
    assert first.is_set()
    assert len(set(script.threads)) >= 3
    assert len(set(script.threads[:2])) == 1


def test_the_end_waits_for_nobody() -> None:
    """The loop ends while a step still takes long."""
    release = threading.Event()
    script = Script(lambda: _wait(release))
    script.relay.run()
    assert not release.is_set()
    release.set()


def test_one_thread_at_a_time() -> None:
    """Whatever is taken over, no two threads take steps at once, and each step is taken once."""
    inside = threading.Lock()
    taken: list[int] = []
    script = Script()

    def step() -> bool:
        assert inside.acquire(blocking=False)
        number = len(taken)
        taken.append(number)
        inside.release()
        if number < 40:
            script.relay.brief(
                lambda: time.sleep(0.02 if number % 10 == 3 else 0.0105 if number % 3 else 0.0)
            )
        return number < 40

    script.relay = Relay(step)
    script.relay.run()
    assert taken == list(range(41))


@pytest.mark.parametrize("after", [False, True])
def test_what_a_step_raises(*, after: bool) -> None:
    """An error ends the loop and reaches who runs it, also from the thread that took over."""
    release = threading.Event()
    script = Script(lambda: _wait(release)) if after else Script()

    def step() -> bool:
        if script.steps:
            return Script.step(script)
        release.set()
        raise ValueError("no frame")

    script.relay = Relay(step)
    with pytest.raises(ValueError, match="no frame"):
        script.relay.run()


def _wait(event: threading.Event) -> None:
    assert event.wait(10)
