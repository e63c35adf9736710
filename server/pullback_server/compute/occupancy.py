"""Notes once a second how much of the device's memory is in use, where the device says it: CPUs do not.

On a thread of its own, since a driver that hangs must not stop the heart that shows that the process lives.
"""

from __future__ import annotations

import threading
import time
from typing import Final

import jax

from pullback_server.model.board import Board, Occupancy

_PAUSE_SECONDS: Final = 1.0


def note_occupancy(board: Board) -> None:
    """Begins to note it on the board, until the process ends."""
    device = jax.local_devices()[0]
    if device.memory_stats() is not None:
        threading.Thread(target=_note, args=(device, board), name="occupancy", daemon=True).start()


def _note(device: jax.Device, board: Board) -> None:
    while (stats := device.memory_stats()) is not None:
        board.note(
            Occupancy(
                stats.get("bytes_in_use", 0), stats.get("peak_bytes_in_use", 0), stats.get("bytes_limit", 0)
            )
        )
        time.sleep(_PAUSE_SECONDS)
