"""What gRPC gives a method of a call: metadata, peer, deadline, and the status that it ends with."""

from __future__ import annotations

from typing import Any

import grpc

# Requests and responses are bytes or messages, as the interceptor at hand has them.
Context = grpc.aio.ServicerContext[Any, Any]
