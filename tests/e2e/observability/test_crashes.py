"""What is left behind when a worker of a real server dies."""

from __future__ import annotations

import json
import threading
import time
from datetime import datetime

import numpy as np
from e2e.observability.conftest import Watched

X = np.arange(3.0)


def test_a_killed_worker_leaves_a_file(watched: Watched) -> None:
    """After a kill -9 a file has what was in hand and what came before, and the log has its path.

    The request in hand is answered by the next worker all the same.
    """
    watched.server.evaluate("square", "GRADIENT", X)
    answers = []
    big = np.full((1500, 1500), 1e-3)
    asking = threading.Thread(target=lambda: answers.append(watched.server.evaluate("slow", "VALUE", big)))
    asking.start()
    deadline = time.monotonic() + 30
    while watched.figure("pullback_worker_in_hand") == 0:
        assert time.monotonic() < deadline
    for worker in watched.server.workers():
        worker.kill()
    asking.join(60)
    while not watched.crashes():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    [path] = watched.crashes()
    crash = json.loads(path.read_text())
    assert (crash["worker"], crash["cause"]) == ("cpu:0", "it was killed by SIGKILL")
    assert datetime.fromisoformat(crash["time"]).timestamp() <= time.time()
    [in_hand] = crash["in_hand"]
    assert in_hand["function"].startswith("functions/slow")
    assert (in_hand["derivative"], in_hand["points"], in_hand["reason"]) == ("value", None, "IN_HAND")
    last = crash["recent"][0]
    assert last["function"].startswith("functions/square")
    assert (last["derivative"], last["reason"]) == ("gradient", "")
    assert len(last["request_id"]) == 32
    assert str(path) in watched.server.log.read_text()
    assert len(answers) == 1
    assert watched.figure("pullback_worker_deaths_total", worker="cpu:0", cause="killed") == 1
