"""grpc.reflection.v1alpha: lets tools such as grpcurl ask for the API."""

from __future__ import annotations

from collections.abc import Iterable

import grpc
from grpc_health.v1 import health
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc

from pullback_server.services.door import Door
from pullback_server.services.guarding import Guard
from pullback_server.services.punctual import Hall


def add_reflection(server: grpc.aio.Server | Door | Hall, services: Iterable[str]) -> None:
    """Puts the service on a server, telling of `services`, of health and of itself."""
    names = (*services, health.SERVICE_NAME, reflection.SERVICE_NAME)
    servicer = reflection.aio.ReflectionServicer(names)
    reflection_pb2_grpc.add_ServerReflectionServicer_to_server(servicer, Guard(server))
