"""CapabilitiesService: what the server supports."""

from __future__ import annotations

from importlib import metadata
from typing import Final

from pullback.program.container import FORMAT_VERSION
from pullback.program.elements import ElementType
from pullback.program.wire import element_to_wire
from pullback.v1 import capabilities_pb2 as pb
from pullback.v1 import program_pb2
from pullback_server.engine.interface import Engine
from pullback_server.model.quantities import Quantity
from pullback_server.services.conversion import device_to_wire
from pullback_server.services.requests.limits import Limits
from pullback_server.sharing.channels import SideChannels

# Bodies with another name than their format.
_FORMATS: Final = {"stable_hlo": "stablehlo", "stable_hlo_module": "stablehlo"}


class Capabilities:
    """Answers CapabilitiesService.

    Args:
        engine: Knows the devices.
        limits: The server's limits.
        channels: Where clients hand over memory.
    """

    def __init__(self, engine: Engine, limits: Limits, channels: SideChannels) -> None:
        self._engine = engine
        self._limits = limits
        self._channels = channels

    async def get_capabilities(self, request: pb.GetCapabilitiesRequest) -> pb.GetCapabilitiesResponse:
        """Gives what the server supports, with the devices of the workers that have been ready."""
        del request
        workers = [worker.description for worker in self._engine.workers if worker.description]
        return pb.GetCapabilitiesResponse(
            server_version=server_version(),
            versions={name: version for worker in workers for name, version in worker.versions.items()},
            formats=_formats(),
            program_format_versions=[FORMAT_VERSION],
            element_types=[element_to_wire(element) for element in ElementType],
            quantities=[f"QUANTITY_{each.name}" for each in Quantity],
            devices=[device_to_wire(worker) for worker in workers],
            limits=pb.Limits(
                message_bytes=self._limits.message_bytes,
                program_bytes=self._limits.program_bytes,
                constant_bytes=self._limits.constant_bytes,
                derivative_order=self._limits.derivative_order,
                batch=self._limits.batch,
                in_flight=self._limits.in_flight,
            ),
            memory_address=self._channels.address,
        )


def _formats() -> list[str]:
    """The names of the formats, in the order of their first bodies: `stablehlo`, `formula` and so on."""
    fields = program_pb2.Program.DESCRIPTOR.oneofs_by_name["body"].fields
    return list(dict.fromkeys(_FORMATS.get(field.name, field.name) for field in fields))


def server_version() -> str:
    """The version of the installed server."""
    try:
        return metadata.version("pullback")
    except metadata.PackageNotFoundError:
        return "0.0.0"
