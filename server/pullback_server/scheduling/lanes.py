"""Finds the lane of a kind, and forgets those that nobody uses."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

from pullback_server.model.evaluation import Kind
from pullback_server.scheduling.joining import batch_kind
from pullback_server.scheduling.lane import Joining, Lane

_MOST_KINDS: Final = 8192


class Lanes:
    """All lanes.

    Args:
        joining: How much may travel together.
    """

    def __init__(self, joining: Joining) -> None:
        self._joining = joining
        self._by_kind: dict[Kind, Lane] = {}
        self._by_content: dict[Hashable, Lane] = {}

    def of(self, kind: Kind) -> Lane:
        """The lane of a kind; kinds that are alike, but for points being alone or in batches, share one."""
        lane = self._by_kind.get(kind)
        if lane is None:
            self._forget()
            lane = self._by_kind[kind] = self._alike(kind)
        return lane

    def _alike(self, kind: Kind) -> Lane:
        batch = batch_kind(kind)
        content = (
            batch.digest,
            batch.wants,
            batch.arguments,
            batch.tangents,
            batch.cotangents,
            batch.batched,
        )
        lane = self._by_content.get(content)
        if lane is None:
            lane = self._by_content[content] = self._new(batch)
        if kind.batched is None and lane.point is None:
            lane.point = kind
        return lane

    def _new(self, batch: Kind) -> Lane:
        pairs = list(zip(batch.inputs, batch.batched or (), strict=True))
        each = sum(leaf.nbytes for leaf, leads in pairs if leads) + batch.result_bytes
        shared = sum(leaf.nbytes for leaf, leads in pairs if not leads)
        most = min(self._joining.points, (self._joining.nbytes - shared) // max(each, 1))
        return Lane(batch, None, most if any(leads for _, leads in pairs) else 0, each)

    def _forget(self) -> None:
        """Makes room: of the older half of the kinds, those that are not in use go."""
        if len(self._by_kind) < _MOST_KINDS:
            return
        older = list(self._by_kind)[: _MOST_KINDS // 2]
        for kind in older:
            if self._by_kind[kind].idle:
                del self._by_kind[kind]
        used = set(map(id, self._by_kind.values()))
        self._by_content = {key: lane for key, lane in self._by_content.items() if id(lane) in used}
