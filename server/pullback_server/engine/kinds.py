"""The kinds that one worker process knows by number, and what is known of them there."""

from __future__ import annotations

import itertools
from collections import OrderedDict
from typing import Final

import msgspec

from pullback.program.tensors import TensorType
from pullback_server.engine.crossing import Layout, layout_of
from pullback_server.model.evaluation import Buffer, Kind
from pullback_server.model.frames import FrameError

_REMEMBERED_LAYOUTS: Final = 256
# For each leaf of the results its place begins at a multiple of 64.
_ALIGNMENT_BYTES: Final = 4096
_DECODER: Final = msgspec.msgpack.Decoder(tuple[tuple[TensorType, ...], ...])


class DefinedKind:
    """A kind, as one worker knows it.

    Args:
        kind: The kind.
        number: What it is called there.

    Attributes:
        kind: The kind.
        number: What it is called there.
    """

    def __init__(self, kind: Kind, number: int) -> None:
        self.kind = kind
        self.number = number
        self._bytes_per_point = kind.result_bytes
        self._layouts: dict[bytes, Layout] = {}
        self._warm: set[int] = set()

    def is_warm(self, points: int | None) -> bool:
        """Whether so many points, or as many when padded, ran there or were compiled."""
        return _bucket(points) in self._warm

    @property
    def warm(self) -> list[int | None]:
        """The numbers of points for which it is warm, one of each that are alike; None for a single point."""
        return [bucket or None for bucket in self._warm]

    def warmed(self, points: int | None) -> None:
        """Takes note that so many points need no compilation any more."""
        self._warm.add(_bucket(points))

    def result_bytes(self, points: int | None) -> int:
        """How many bytes the results of so many points will take, with what lies between them."""
        nbytes = self._bytes_per_point * (1 if points is None else points)
        return nbytes + _ALIGNMENT_BYTES if nbytes else 0

    def gave(self, nbytes: int, points: int | None) -> None:
        """Takes note of the bytes of results, where more came than was expected."""
        self._bytes_per_point = max(self._bytes_per_point, -(-nbytes // max(points or 1, 1)))

    def layout(self, encoded: Buffer) -> Layout:
        """The layout of results of these types: the same for the same bytes, as long as it is remembered.

        Raises:
            FrameError: If the bytes are no types.
        """
        key = bytes(encoded)
        found = self._layouts.get(key)
        if found is None:
            if len(self._layouts) == _REMEMBERED_LAYOUTS:
                self._layouts.clear()
            found = self._layouts[key] = layout_of(_decoded(key))
        return found


class Kinds:
    """Numbers kinds; the longest unused are forgotten.

    Args:
        limit: How many are kept.
    """

    def __init__(self, limit: int = 4096) -> None:
        self._limit = limit
        self._numbers = itertools.count()
        self._defined: OrderedDict[Kind, DefinedKind] = OrderedDict()

    def find(self, kind: Kind) -> DefinedKind | None:
        """What is known of a kind; None of one that is new."""
        return self._defined.get(kind)

    def use(self, kind: Kind) -> DefinedKind | None:
        """As `find`; it counts as used."""
        found = self._defined.get(kind)
        if found is not None:
            self._defined.move_to_end(kind)
        return found

    def latest(self) -> list[DefinedKind]:
        """All that are kept, those first that were used last."""
        return list(reversed(self._defined.values()))

    def add(self, kind: Kind) -> tuple[DefinedKind, DefinedKind | None]:
        """Numbers a new kind; gives it, and the one that is forgotten for it."""
        defined = self._defined[kind] = DefinedKind(kind, next(self._numbers))
        if len(self._defined) <= self._limit:
            return defined, None
        return defined, self._defined.popitem(last=False)[1]


def _decoded(encoded: bytes) -> tuple[tuple[TensorType, ...], ...]:
    try:
        types: tuple[tuple[TensorType, ...], ...] = _DECODER.decode(encoded)
    except (msgspec.MsgspecError, ValueError) as error:
        raise FrameError(f"results have types that are none: {error}") from error
    return types


def _bucket(points: int | None) -> int:
    """The number of points that a batch is padded to, if it is one tile; 0 for a single point."""
    return 0 if points is None else 1 << max(points - 1, 0).bit_length()
