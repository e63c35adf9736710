"""A bounded cache whose values are made once, however many threads ask for them at the same time.

Knows neither JAX nor programs.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass
from threading import Lock
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Found(Generic[Value]):
    """What a cache gives.

    Attributes:
        value: The value.
        cached: Whether it was there before it was asked for.
    """

    value: Value
    cached: bool


class Cache(Generic[Key, Value]):
    """Keeps the values that were used last, up to a total weight.

    A value that alone is heavier than the limit is kept until the next one comes. Values that are
    being made are never dropped.

    Args:
        limit: The total weight that is kept.
        weigh: The weight of a value; 1 unless told.
    """

    def __init__(self, limit: int, weigh: Callable[[Value], int] = lambda _: 1) -> None:
        self._limit = limit
        self._weigh = weigh
        self._lock = Lock()
        self._values: OrderedDict[Key, Value] = OrderedDict()
        self._weight = 0
        self._making: dict[Key, Future[Value]] = {}

    def find(self, key: Key) -> Value | None:
        """The value of a key if it is there; it counts as used."""
        with self._lock:
            return self._use(key)

    def get(self, key: Key, make: Callable[[], Value]) -> Found[Value]:
        """The value of a key, made now if it is not there.

        While one thread makes a value, others that ask for it wait; different keys are made in parallel.
        If making it fails, all who wait get the same error, and the next to ask tries again.
        """
        with self._lock:
            value = self._use(key)
            if value is not None:
                return Found(value, cached=True)
            pending = self._making.get(key)
            if pending is None:
                ours = self._making[key] = Future()
        if pending is not None:
            return Found(pending.result(), cached=False)
        return Found(self._make(key, make, ours), cached=False)

    def _make(self, key: Key, make: Callable[[], Value], future: Future[Value]) -> Value:
        try:
            value = make()
        except BaseException as error:
            with self._lock:
                del self._making[key]
            future.set_exception(error)
            raise
        with self._lock:
            del self._making[key]
            self._keep(key, value)
        future.set_result(value)
        return value

    def _use(self, key: Key) -> Value | None:
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def _keep(self, key: Key, value: Value) -> None:
        self._values[key] = value
        self._weight += self._weigh(value)
        while self._weight > self._limit and len(self._values) > 1:
            _, oldest = self._values.popitem(last=False)
            self._weight -= self._weigh(oldest)
