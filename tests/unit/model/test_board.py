"""The board: what one process writes, another reads, whatever becomes of the first."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pullback_server.model.board import Board, Occupancy, open_board

WRITER = """
import os, signal, sys
from pullback_server.model.board import Board
board = Board(int(sys.argv[1]))
board.beat(); board.beat()
board.begin(7)
board.end(board.begin(8))
board.begin(9, preparing=True)
board.prepared(board.begin(10, preparing=True))
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def board() -> Board:
    """An empty board."""
    descriptor = open_board()
    board = Board(descriptor)
    os.close(descriptor)
    return board


def test_empty(board: Board) -> None:
    """Nobody works at first."""
    assert (board.works(), board.beats) == ([], 0)


def test_after_a_kill() -> None:
    """What a killed process was at is there after its death."""
    descriptor = open_board()
    board = Board(descriptor)
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", WRITER, str(descriptor)], pass_fds=[descriptor], check=False)
    os.close(descriptor)
    assert done.returncode == -signal.SIGKILL
    works = board.works()
    assert [(work.id, work.preparing) for work in works] == [(7, False), (9, True), (10, False)]
    assert all(began < work.since < time.monotonic() for work in works)
    assert board.beats == 2


def test_slots_are_used_again(board: Board) -> None:
    """However many requests come one after the other, there is room; too many at once go unseen."""
    for id_ in range(1, 2000):
        board.end(board.begin(id_))
    assert board.works() == []
    slots = [board.begin(id_, preparing=True) for id_ in range(1, 2000)]
    assert len(board.works()) == 512
    for slot in slots:
        board.prepared(slot)
        board.end(slot)
    assert board.works() == []


def test_a_closed_board_says_what_it_said_last() -> None:
    """Once closed, and closed again, its descriptor is free, and what it said last can still be read."""
    descriptor = open_board()
    before = len(list(Path("/proc/self/fd").iterdir()))
    board = Board(descriptor)
    board.begin(7)
    board.beat()
    last = board.works()
    board.close()
    board.close()
    assert (board.works(), board.beats) == (last, 1)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    os.close(descriptor)


def test_occupancy(board: Board) -> None:
    """What was said of the device's memory last; nothing before anything was."""
    assert board.occupancy is None
    board.beat()
    assert board.occupancy is None
    board.note(Occupancy(5, 9, 0))
    assert board.occupancy == Occupancy(5, 9, 0)
    assert board.beats == 1
    assert board.works() == []
