"""The memory that clients have handed over: how much there may be, and where tensors lie in it.

A segment is its client's: its number is random and told to that client alone, and the tenant that uses it
first is the only one that can from then on.
"""

from __future__ import annotations

import os
import secrets
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pullback.memory.blocks import ALIGNMENT
from pullback_server.errors import Reason, ServiceError, service_error
from pullback_server.model.memory import Place, Segment
from pullback_server.sharing.descriptors import RefusedError, check, mapped
from pullback_server.tenants.callers import caller

_NUMBER_BITS: Final = 63


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much memory clients may hand over. See the settings of the same names.

    Attributes:
        client: The most bytes of one process.
        total: The most bytes of all.
        segments: The most segments of all, each of which keeps descriptors open.
    """

    client: int
    total: int
    segments: int = 1024


class Segments:
    """Keeps what clients have handed over, under numbers that nobody can guess.

    Args:
        bounds: How much there may be.
        attach: Called with each segment that comes.
        detach: Called with each segment that goes.
    """

    def __init__(
        self, bounds: Bounds, attach: Callable[[Segment], object], detach: Callable[[Segment], object]
    ) -> None:
        self._bounds = bounds
        self._attach = attach
        self._detach = detach
        self._segments: dict[int, Segment] = {}
        self._owners: dict[int, int] = {}
        self._tenants: dict[int, str] = {}
        self._bytes: Counter[int] = Counter()

    def __len__(self) -> int:
        return len(self._segments)

    @property
    def nbytes(self) -> int:
        """The bytes of all segments."""
        return self._bytes.total()

    def add(self, descriptor: int, size: int, process: int) -> Segment:
        """Takes a segment over, with its descriptor.

        Args:
            descriptor: A sealed memfd; closed if it is refused, else when nobody uses the segment.
            size: How many bytes it has.
            process: Whose it is.

        Raises:
            RefusedError: If it is not safe to use or too large.
        """
        try:
            check(descriptor, size)
            self._check_bounds(size, process)
            memory = mapped(descriptor, size)
        except (RefusedError, OSError) as error:
            os.close(descriptor)
            raise RefusedError(str(error)) from error
        segment = Segment(self._number(), descriptor, memory)
        self._segments[segment.number] = segment
        self._owners[segment.number] = process
        self._bytes[process] += size
        self._attach(segment)
        return segment

    def drop(self, segment: Segment) -> None:
        """Gives a segment up; places of it that are in use stay mapped until they are not."""
        del self._segments[segment.number]
        self._tenants.pop(segment.number, None)
        self._bytes -= Counter({self._owners.pop(segment.number): segment.memory.nbytes})
        self._detach(segment)

    def place(self, number: int, offset: int, length: int) -> Place:
        """The part of a segment that the request which is being served names.

        Raises:
            ServiceError: SEGMENT_NOT_FOUND, also if it is another tenant's, or MALFORMED_REQUEST for a part
                that the segment does not have.
        """
        segment = self._segments.get(number)
        tenant = caller.get().tenant
        if segment is None or self._tenants.setdefault(number, tenant) != tenant:
            raise not_shared(number)
        size = segment.memory.nbytes
        if offset % ALIGNMENT or offset + length > size:
            raise service_error(
                Reason.MALFORMED_REQUEST,
                f"a segment of {size} bytes has no part of {length} bytes at offset {offset}; parts lie "
                f"inside, at multiples of {ALIGNMENT}",
                offset=str(offset),
                length=str(length),
                size=str(size),
            )
        return Place(segment, offset, length)

    def _check_bounds(self, size: int, process: int) -> None:
        for what, value, limit, setting in (
            (
                "this process's shared memory",
                self._bytes[process] + size,
                self._bounds.client,
                "max_client_memory_bytes",
            ),
            ("all clients' shared memory", self.nbytes + size, self._bounds.total, "max_shared_memory_bytes"),
        ):
            if value > limit:
                raise RefusedError(
                    f"{what} would have {value} bytes; the server's limit ({setting}) is {limit}"
                )
        if len(self) >= self._bounds.segments:
            raise RefusedError(f"the server has {len(self)} segments already, which is its limit")

    def _number(self) -> int:
        while True:
            number = secrets.randbits(_NUMBER_BITS)
            if number and number not in self._segments:
                return number


def not_shared(number: int) -> ServiceError:
    """The error of a request that names memory which the server does not have."""
    return service_error(
        Reason.SEGMENT_NOT_FOUND,
        f"the server has no shared memory of the number {number}; keep the connection open over which it was "
        "handed over, hand it over again, or send the tensors in the message",
        segment=str(number),
    )
