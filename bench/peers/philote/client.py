"""The client of Philote, with larger chunks than its default of 1,000 numbers, which is faster."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import grpc
import philote_mdo.general as philote

from driving.loops import Call, Maker
from workload import Floats

_OPTIONS = [
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
]
_CHUNK = 100_000


def ways(address: str) -> Mapping[str, Maker]:
    """How Philote can be called; the address is JSON, the port of each size."""
    ports: dict[str, int] = json.loads(address)
    ready: set[int] = set()
    return {
        "one": lambda _: _caller(ports["1"], ready),
        "batch": lambda count: _caller(ports[str(count)], ready),
    }


def _caller(port: int, ready: set[int]) -> Call:
    client: Any = philote.ExplicitClient(channel=grpc.insecure_channel(f"127.0.0.1:{port}", options=_OPTIONS))
    client._stream_options.num_double = _CHUNK  # noqa: SLF001 -- there is no other way to say it
    client.send_stream_options()
    if port not in ready:
        # A discipline that is set up again declares everything twice.
        client.run_setup()
        ready.add(port)
    client.get_variable_definitions()
    client.get_partials_definitions()

    def call(x: Floats) -> Floats:
        answer: Floats = client.run_compute_partials({"x": x.ravel()})["f", "x"]
        return answer.reshape(x.shape)

    return call
