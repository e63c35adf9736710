"""The cache makes each value once, keeps what was used last, and survives failures."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

import pytest

from pullback_server.compute.cache import Cache


def test_a_value_is_made_once() -> None:
    """The second to ask gets the first's value, and is told so."""
    cache: Cache[str, object] = Cache(2)
    first = cache.get("a", object)
    second = cache.get("a", object)
    assert second.value is first.value
    assert (first.cached, second.cached) == (False, True)


def test_the_longest_unused_goes_first() -> None:
    """Asking for a value keeps it; the other one is dropped."""
    cache: Cache[str, str] = Cache(2)
    for key in ("a", "b"):
        cache.get(key, lambda key=key: key)  # type: ignore[misc]
    assert cache.find("a") == "a"
    cache.get("c", lambda: "c")
    assert [cache.find(key) for key in "abc"] == ["a", None, "c"]


def test_weights_count() -> None:
    """Values are dropped by weight; one that alone is too heavy is kept until the next one comes."""
    cache: Cache[str, int] = Cache(10, weigh=lambda value: value)
    for key, weight in (("a", 4), ("b", 5), ("c", 3), ("d", 30)):
        cache.get(key, lambda weight=weight: weight)  # type: ignore[misc]
        assert cache.find(key) == weight
    assert [cache.find(key) for key in "abc"] == [None, None, None]
    cache.get("e", lambda: 1)
    assert (cache.find("d"), cache.find("e")) == (None, 1)


def test_threads_that_want_the_same_wait_for_one_maker() -> None:
    """Of eight threads, one makes the value."""
    cache: Cache[str, object] = Cache(2)
    together, made = Barrier(8), []

    def make() -> object:
        made.append(object())
        return made[-1]

    def ask(_: int) -> object:
        together.wait(10)
        return cache.get("a", make).value

    with ThreadPoolExecutor(8) as threads:
        values = list(threads.map(ask, range(8)))
    assert len(made) == 1
    assert set(map(id, values)) == {id(made[0])}


def test_different_keys_are_made_in_parallel() -> None:
    """A maker that waits holds up nobody who wants something else."""
    cache: Cache[str, str] = Cache(2)
    begun, release = Event(), Event()

    def slow() -> str:
        begun.set()
        assert release.wait(10)
        return "slow"

    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(lambda: cache.get("slow", slow).value)
        assert begun.wait(10)
        assert cache.get("quick", lambda: "quick").value == "quick"
        assert not waiting.done()
        release.set()
        assert waiting.result(10) == "slow"


def test_a_failure_is_told_to_all_who_wait_and_then_forgotten() -> None:
    """Two threads get the maker's error; the next to ask makes the value."""
    cache: Cache[str, str] = Cache(2)
    begun, release = Event(), Event()

    def fail() -> str:
        begun.set()
        assert release.wait(10)
        raise OSError("no")

    with ThreadPoolExecutor(2) as threads:
        maker = threads.submit(cache.get, "a", fail)
        assert begun.wait(10)
        waiter = threads.submit(cache.get, "a", fail)
        release.set()
        for asked in (maker, waiter):
            with pytest.raises(OSError, match="no"):
                asked.result(10)
    assert cache.get("a", lambda: "a").value == "a"
