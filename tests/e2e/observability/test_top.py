"""`pullback top` and what it is fed by, against a real server."""

from __future__ import annotations

import json
import subprocess
import sys

import grpc
import numpy as np
import pytest
from e2e.observability.conftest import Watched

from pullback.v1 import administration_pb2 as pb

X = np.arange(3.0)


@pytest.fixture(scope="module")
def used(watched: Watched) -> Watched:
    """A server of which something was wanted just now, one thing in vain."""
    for _ in range(3):
        watched.server.evaluate("square", "GRADIENT", X)
    with pytest.raises(grpc.RpcError):
        watched.server.evaluate("square", "GRADIENT", np.arange(4.0))
    return watched


def top(watched: Watched, *flags: str) -> subprocess.CompletedProcess[str]:
    """Runs the command."""
    command = [sys.executable, "-m", "pullback", "top", "--server", watched.server.address, *flags]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_one_frame(used: Watched) -> None:
    """One frame has the worker, the function with its counts, and the last failure with its request id."""
    ran = top(used, "--once", "--window=600")
    assert ran.returncode == 0, ran.stderr
    lines = {line.split()[0]: line.split() for line in ran.stdout.splitlines() if line.split()}
    assert lines["cpu:0"][1] == "ready"
    [row] = [line.split() for line in ran.stdout.splitlines() if line.startswith("square@")]
    assert row[1:3] == ["gradient", "3"]
    assert lines["all"][1:3] == ["4", "1"]
    assert "SHAPE_MISMATCH" in ran.stdout


def test_as_json(used: Watched) -> None:
    """The same for scripts."""
    status = json.loads(top(used, "--json", "--window=600").stdout)
    assert status["workers"][0]["state"] == "ready"
    assert int(status["workers"][0]["memoryBytes"]) > 1 << 20
    assert int(status["total"]["count"]) == 4


def test_the_requests(used: Watched) -> None:
    """ListRequests gives the last ones first; a filter leaves the others out, as does the size of a page."""
    used.server.evaluate("square", "VALUE", np.ones((2, 3)))
    last, *others = used.server.call("AdministrationService/ListRequests").recent
    assert last.function.startswith("functions/square/revisions/")
    assert (last.derivative, last.points, last.reason) == ("value", 2, "")
    assert last.duration.nanos > 0
    assert last.worker == "cpu:0"
    assert len(others) == 4
    [failed] = used.server.call(
        "AdministrationService/ListRequests", pb.ListRequestsRequest(failed=True)
    ).recent
    assert (failed.reason, failed.HasField("points")) == ("SHAPE_MISMATCH", False)
    assert failed.request_id in used.server.log.read_text()
    page = used.server.call("AdministrationService/ListRequests", pb.ListRequestsRequest(page_size=2))
    assert len(page.recent) == 2
    nobodys = used.server.call("AdministrationService/ListRequests", pb.ListRequestsRequest(tenant="x"))
    assert not nobodys.recent


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ("GetStatus", pb.GetStatusRequest(max_rows=-1)),
        ("ListRequests", pb.ListRequestsRequest(page_size=-1)),
    ],
)
def test_refusals(watched: Watched, method: str, message: object) -> None:
    """What cannot be is refused as the caller's mistake."""
    with pytest.raises(grpc.RpcError) as refusal:
        watched.server.call(f"AdministrationService/{method}", message)
    assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT
