"""The pages for monitors: figures for Prometheus, and probes for those that restart or route."""

from __future__ import annotations

from http import HTTPStatus
from itertools import chain

from pullback_server.services.observation import Observation
from pullback_server.telemetry.endpoint import Endpoint, Page


def endpoint(observation: Observation) -> Endpoint:
    """The endpoint that shows an observation."""
    # Here, since it loads what a server that nobody monitors need not have: an HTTP server and TLS.
    from pullback_server.telemetry.exposition import CONTENT_TYPE, Process, text  # noqa: PLC0415

    process = Process()

    async def metrics() -> Page:
        families = await observation.families()
        return Page(chain(text(families), process), content_type=CONTENT_TYPE)

    async def alive() -> Page:
        return Page([b"alive\n"])

    async def ready() -> Page:
        if observation.engine.ready and not observation.draining:
            return Page([b"ready\n"])
        return Page(
            [b"not ready: no worker can take work, or the server stops\n"], HTTPStatus.SERVICE_UNAVAILABLE
        )

    return Endpoint({"/metrics": metrics, "/healthz": alive, "/readyz": ready})
