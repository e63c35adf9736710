"""grpc.health.v1: the health of the workers, which answers at once whatever they compute."""

from __future__ import annotations

from collections.abc import Iterable

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_aio

from pullback_server.engine.interface import Engine
from pullback_server.services.guarding import Guard


class Health:
    """Tells whether the server as a whole, and each service, can take requests.

    Args:
        engine: Whose workers must be ready.
        services: The full names of the services.
    """

    def __init__(self, engine: Engine, services: Iterable[str]) -> None:
        self._engine = engine
        self._services = ("", *services)
        self._servicer = health_aio.HealthServicer()

    def add_to(self, server: grpc.aio.Server) -> None:
        """Puts the service on a server."""
        health_pb2_grpc.add_HealthServicer_to_server(self._servicer, Guard(server))

    async def follow(self) -> None:
        """Follows the engine's state until cancelled."""
        while True:
            serving = health_pb2.HealthCheckResponse.SERVING
            missing = health_pb2.HealthCheckResponse.NOT_SERVING
            for service in self._services:
                await self._servicer.set(service, serving if self._engine.ready else missing)
            await self._engine.changed()

    async def drain(self) -> None:
        """Says NOT_SERVING from now on, whatever the engine's state."""
        await self._servicer.enter_graceful_shutdown()
