"""A program that is in quarantine is refused, also when it is to be registered, until it is cleared."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from e2e.server.conftest import start  # noqa: F401 -- a fixture
from e2e.server.running import Start, formula

import pullback
from pullback.cli.commands import pullback as command
from pullback.program.digest import digest as digest_of
from pullback.program.wire import program_to_bytes
from pullback.v1 import functions_pb2

X = np.array([1.0, 2.0, 3.0])
SUM = formula("sum(x)", x="f64[3]")


def test_a_program_is_cleared(start: Start, tmp_path: Path) -> None:  # noqa: F811 -- the fixture
    """By an administrator, by hand or by command, and stays so."""
    digest = digest_of(SUM)
    entry = {"digest": digest, "deaths": 2, "why": "it looped", "since": 1.8e9, "quarantined": True}
    (tmp_path / "quarantine.json").write_text(json.dumps([entry]))
    server = start(folder=tmp_path)
    data = program_to_bytes(SUM)
    chunk = functions_pb2.UploadProgramRequest(digest=digest, size_bytes=len(data), chunk=data)
    server.call("FunctionService/UploadProgram", iter([chunk]))
    assert list((tmp_path / "uploads").iterdir())
    with pullback.connect(server.address) as client:
        with pytest.raises(pullback.PullbackError, match="killed 2 workers") as caught:
            client.register(SUM, name="f")
        assert caught.value.reason == "QUARANTINED"
        assert not list((tmp_path / "uploads").iterdir())
        (program,) = client.administration.quarantine()
        assert (program.digest, program.deaths, program.cause) == (digest, 2, "it looped")
        assert (program.died.timestamp(), program.functions) == (1.8e9, ())
        shown = CliRunner().invoke(command, ["admin", "quarantine", "--server", server.address])
        assert digest[:12] in shown.output
        cleared = CliRunner().invoke(command, ["admin", "clear", "--all", "--server", server.address])
        assert cleared.output == f"Cleared {digest}.\n"
        assert client.administration.quarantine() == ()
        assert client.register(SUM, name="f")(X) == 6.0
    assert json.loads((tmp_path / "quarantine.json").read_text()) == []
