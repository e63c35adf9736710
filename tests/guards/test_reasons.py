"""The reasons of errors are the same in the API, in the server, and nowhere without a code."""

from __future__ import annotations

import re
from pathlib import Path

from pullback.v1 import errors_pb2
from pullback_server.errors import Reason, service_error

SOURCE = (Path(__file__).parents[2] / "proto/pullback/v1/errors.proto").read_text()


def test_the_server_has_the_api_s_reasons() -> None:
    """Each value of the enum is a reason of the server, and the other way round."""
    values = {name.removeprefix("REASON_") for name in errors_pb2.Reason.keys()}  # noqa: SIM118 -- no mapping
    assert values - {"UNSPECIFIED"} == set(Reason)


def test_the_codes_are_those_that_the_api_promises() -> None:
    """The code in brackets before each reason is the code of its error."""
    promised = {
        reason: code
        for code, reason in re.findall(r"// \[([A-Z_]+)\](?:.*\n\s*//)*.*\n\s*REASON_([A-Z_]+) =", SOURCE)
    }
    assert promised == {reason.value: service_error(reason, "").code.value for reason in Reason}
