"""The composition root: makes the parts of a server, runs them, drains them, stops them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, Final

import grpc

from pullback.memory.handover import socket_path
from pullback.v1 import administration_pb2, capabilities_pb2, evaluation_pb2, functions_pb2, graphs_pb2
from pullback_server.configuration.reloading import Reloading, reload_log_level
from pullback_server.configuration.settings import Settings
from pullback_server.engine.arena import Arena, open_arena
from pullback_server.engine.bounds import Bounds as WorkerBounds
from pullback_server.engine.devices import Placement, placements, spare_workers
from pullback_server.engine.executables import Executables, keep_tidy
from pullback_server.engine.interface import Engine, Source
from pullback_server.engine.pool import LocalPool
from pullback_server.engine.process import Launch
from pullback_server.engine.quarantine import Quarantine
from pullback_server.engine.shares import memory_share, process_share
from pullback_server.errors import ServiceError
from pullback_server.registry.registry import Registry, open_registry
from pullback_server.scheduling.accounts import Accounts
from pullback_server.scheduling.admission import Admission
from pullback_server.scheduling.lane import Joining
from pullback_server.scheduling.scheduler import Scheduler
from pullback_server.services.administration import Administration
from pullback_server.services.announced import Announced
from pullback_server.services.binding import bind
from pullback_server.services.budget import budgets
from pullback_server.services.calls import OpenCalls
from pullback_server.services.capabilities import Capabilities, server_version
from pullback_server.services.entrance import Entrance
from pullback_server.services.evaluation import Evaluation
from pullback_server.services.functions import Functions
from pullback_server.services.graphs import Graphs
from pullback_server.services.health import Health
from pullback_server.services.listening import listen
from pullback_server.services.monitoring import endpoint
from pullback_server.services.observation import Observation
from pullback_server.services.options import channel_options, largest_message
from pullback_server.services.reflection import add_reflection
from pullback_server.services.requests.limits import Limits
from pullback_server.sharing.channels import SideChannels
from pullback_server.sharing.segments import Bounds, Segments
from pullback_server.telemetry.audit import audit_to
from pullback_server.telemetry.endpoint import Endpoint
from pullback_server.telemetry.tracing import start_tracing
from pullback_server.telemetry.watch import watch
from pullback_server.tenants.current import CurrentDirectory

_log = logging.getLogger(__name__)

_SERVICES: Final = (
    functions_pb2.DESCRIPTOR.services_by_name["FunctionService"],
    evaluation_pb2.DESCRIPTOR.services_by_name["EvaluationService"],
    graphs_pb2.DESCRIPTOR.services_by_name["GraphService"],
    capabilities_pb2.DESCRIPTOR.services_by_name["CapabilitiesService"],
    administration_pb2.DESCRIPTOR.services_by_name["AdministrationService"],
)
_EVALUATE: Final = f"/{evaluation_pb2.DESCRIPTOR.services_by_name['EvaluationService'].full_name}/Evaluate"
_NAMES: Final = tuple(service.full_name for service in _SERVICES)
# Of the memory in which tensors cross, what stays taken while it is free: a share of one in four.
_KEPT_SHARE: Final = 4
# Of the calls that may be open, those whom nobody asks who they are have one in four.
_VISITORS_SHARE: Final = 4
_COLLECT_SECONDS: Final = 3600.0


class Server:
    """A server, from its start to its stop.

    Args:
        settings: Its settings.
        reread: Gathers the settings anew; None where they cannot change.
    """

    def __init__(self, settings: Settings, reread: Callable[[], Settings] | None = None) -> None:
        self._settings = settings
        self._reloading = Reloading(settings, reread or (lambda: settings))
        self._reloading.add(reload_log_level)
        self._stopping = asyncio.Event()
        self._hurrying = asyncio.Event()
        self._pausing = True
        self._addresses: tuple[str, ...] = ()

    @property
    def address(self) -> str:
        """Where it listens, with the ports that it got, and commas between."""
        return ",".join(self._addresses)

    def stop(self, *, pause: bool = True) -> None:
        """Has `stopped` return; a second call ends the pause, and the grace of what is in flight.

        Args:
            pause: Whether to go on serving for a while, so that clients notice and move.
        """
        if self._stopping.is_set():
            self._hurrying.set()
        self._pausing = pause
        self._stopping.set()

    async def stopped(self) -> None:
        """Returns when `stop` was called."""
        await self._stopping.wait()

    def reload(self) -> bool:
        """Reads settings and files anew; says whether that was done, and the log why not."""
        return self._reloading.reload()

    @contextlib.asynccontextmanager
    async def started(self) -> AsyncIterator[None]:
        """Serves inside the block; drains and stops when it ends. Nothing is left behind.

        Raises:
            EntranceError: If the settings of how callers get in will not do.
            DirectoryInUseError: If another server uses the data directory.
            DevicesError: If the devices are not there.
            ListenError: If an address cannot be listened on.
        """
        entrance = Entrance(self._settings, _addresses(self._settings))
        self._reloading.add(entrance.reread)
        folder = self._settings.data_dir.expanduser()
        audit_log = audit_to(self._settings.audit_log)
        store = open_registry(folder, entrance.current.tenant, self._settings.max_revisions)
        with audit_log, store as registry:
            arena = _arena(self._settings)
            quarantine = Quarantine(folder / "quarantine.json", self._settings.quarantine_deaths)
            engine = _engine(self._settings, registry, arena, quarantine)
            async with self._serving(folder, registry, engine, arena, entrance, quarantine):
                yield

    @contextlib.asynccontextmanager
    async def _serving(
        self,
        folder: Path,
        registry: Registry,
        engine: Engine,
        arena: Arena | None,
        entrance: Entrance,
        quarantine: Quarantine,
    ) -> AsyncIterator[None]:
        health = Health(engine, _NAMES, self._settings.max_concurrent_rpcs // _VISITORS_SHARE)
        channels = _side_channels(self._settings, engine)
        scheduler = _scheduler(self._settings, engine, entrance.current)
        observation = _observation(self._settings, folder, registry, quarantine, scheduler, engine, arena)
        calls = observation.calls
        server = _grpc_server(
            self._settings, registry, scheduler, health, channels, observation, entrance, quarantine
        )
        self._addresses = listen(
            server, _addresses(self._settings), _mode(self._settings), lambda: entrance.credentials
        )
        entrance.start()
        with channels.listening():
            await engine.start()
            await server.start()
            executables = Executables(_cache(self._settings), self._settings.max_compilation_cache_bytes)
            following = self._beside(
                health.follow(),
                observation.follow(),
                _collect_hourly(registry),
                keep_tidy(executables),
            )
            monitors = None
            try:
                monitors = await _monitored(self._settings, observation)
                yield
            finally:
                for task in following:
                    task.cancel()
                observation.draining = True
                health.drain()
                await self._drain(server, calls)
                await engine.stop()
                await observation.watch.crashes.written()
                if monitors is not None:
                    monitors.stop()

    def _beside(self, *courses: Coroutine[Any, Any, None]) -> list[asyncio.Task[None]]:
        """What runs as long as the server; should one of them fail, the server stops."""
        tasks = [asyncio.create_task(course) for course in courses]
        for task in tasks:
            task.add_done_callback(self._ended)
        return tasks

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.critical("a part of the server failed that it needs, so it stops", exc_info=error)
            self.stop()

    async def _drain(self, server: grpc.aio.Server, calls: OpenCalls) -> None:
        """Pauses, takes no more, and waits for what is in hand, while there is grace and no hurry."""
        _log.info("draining")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._hurrying.wait(), self._settings.drain_seconds * self._pausing)
        stopping = asyncio.create_task(server.stop(self._settings.grace_seconds))
        # Connections are told first, so that clients do not come back on them.
        await asyncio.sleep(0)
        calls.end_streams()
        ends = [asyncio.create_task(end) for end in (calls.none(), self._hurrying.wait())]
        await asyncio.wait((stopping, *ends), return_when=asyncio.FIRST_COMPLETED)
        for end in ends:
            end.cancel()
        await server.stop(None)
        await stopping


async def _collect_hourly(registry: Registry) -> None:
    """Removes what nobody has registered in time; at the start of a server the registry does so itself."""
    while True:
        await asyncio.sleep(_COLLECT_SECONDS)
        try:
            await asyncio.to_thread(registry.collect)
        except ServiceError as error:
            _log.warning("the registry could not be tidied: %s", error.message)


def _addresses(settings: Settings) -> list[str]:
    return _listed(settings.listen)


def _listed(text: str) -> list[str]:
    """The parts of a text with commas between."""
    return [part for each in text.split(",") if (part := each.strip())]


def _mode(settings: Settings) -> int:
    return int(settings.socket_mode, 8)


def _side_channels(settings: Settings, engine: Engine) -> SideChannels:
    bounds = Bounds(settings.max_client_memory_bytes, settings.max_shared_memory_bytes)
    paths = [path for address in _addresses(settings) if (path := socket_path(address))]
    segments = Segments(bounds, engine.attach, engine.detach)
    return SideChannels(paths if bounds.client else (), _mode(settings), segments)


def _arena(settings: Settings) -> Arena | None:
    size = int(settings.worker_memory_bytes)
    return open_arena(size, kept=size // _KEPT_SHARE)


def _cache(settings: Settings) -> Path:
    return (settings.compilation_cache_dir or settings.data_dir / "compiled").expanduser()


def _engine(settings: Settings, registry: Registry, arena: Arena | None, quarantine: Quarantine) -> Engine:
    async def program(digest: str) -> bytes:
        return await asyncio.to_thread(registry.program, digest)

    async def constant(digest: str) -> bytes:
        return await asyncio.to_thread(registry.constant, digest)

    placed = placements(settings.devices)
    options = (
        f"--compilation-cache-dir={_cache(settings)}",
        f"--sweep-bytes={int(settings.sweep_bytes)}",
        f"--max-result-bytes={int(settings.max_result_bytes or settings.max_message_bytes)}",
        f"--max-operations={settings.max_operations}",
        f"--max-nesting={settings.max_nesting}",
        f"--sandbox={settings.sandbox}",
        *_address_space(settings),
        *_device_memory(settings, placed),
        f"--log-level={settings.log_level}",
        f"--log-format={settings.log_format}",
    )
    launch = Launch(
        options=options,
        start_seconds=settings.worker_start_seconds,
        variables=_listed(settings.worker_environment),
    )
    spares = spare_workers(settings.spare_workers, placed)
    source = Source(program, constant)
    return LocalPool(placed, source, launch, arena, _worker_bounds(settings, placed), quarantine, spares)


def _worker_bounds(settings: Settings, placed: Sequence[Placement]) -> WorkerBounds:
    chosen = settings.max_worker_memory_bytes
    return WorkerBounds(
        run_seconds=settings.max_run_seconds,
        compile_seconds=settings.max_compile_seconds,
        abandoned_seconds=settings.max_abandoned_seconds,
        silent_seconds=settings.worker_silent_seconds,
        memory_bytes=process_share(placed) if chosen == "auto" else int(chosen),
        probe_seconds=settings.probe_seconds,
        replays=settings.max_replays,
    )


def _scheduler(settings: Settings, engine: Engine, current: CurrentDirectory) -> Scheduler:
    joining = Joining(settings.join_points, settings.join_bytes)
    accounts = Accounts(current.tenant)
    current.when_replaced(accounts.settle)
    return Scheduler(engine, Admission(settings.max_in_flight, accounts), joining)


def _observation(
    settings: Settings,
    folder: Path,
    registry: Registry,
    quarantine: Quarantine,
    scheduler: Scheduler,
    engine: Engine,
    arena: Arena | None,
) -> Observation:
    observing = watch(
        folder / "crashes",
        tenants=settings.metrics_tenants,
        recorded=settings.recorded_requests,
        slow_seconds=settings.slow_request_seconds,
        tracing=start_tracing() if settings.tracing else None,
    )
    held = budgets(settings.max_bytes_in_flight)
    return Observation(
        engine, registry, quarantine, scheduler, held, OpenCalls(), arena, observing, server_version()
    )


async def _monitored(settings: Settings, observation: Observation) -> Endpoint | None:
    """The pages for monitors, if they are wanted."""
    if not settings.metrics_listen:
        return None
    monitors = endpoint(observation)
    _log.info("metrics are at http://%s/metrics", await monitors.start(settings.metrics_listen))
    return monitors


def _watched(settings: Settings) -> bool:
    """Whether requests are watched at all."""
    return bool(
        settings.metrics_listen
        or settings.recorded_requests
        or settings.slow_request_seconds
        or settings.tracing
    )


def _device_memory(settings: Settings, placed: Sequence[Placement]) -> list[str]:
    chosen = settings.max_device_memory_bytes
    nbytes = memory_share(placed) if chosen == "auto" else int(chosen)
    return [] if nbytes is None else [f"--max-device-memory-bytes={nbytes}"]


def _address_space(settings: Settings) -> list[str]:
    nbytes = settings.worker_address_space_bytes
    return [] if nbytes is None else [f"--address-space-bytes={int(nbytes)}"]


def _grpc_server(
    settings: Settings,
    registry: Registry,
    scheduler: Scheduler,
    health: Health,
    channels: SideChannels,
    observation: Observation,
    entrance: Entrance,
    quarantine: Quarantine,
) -> grpc.aio.Server:
    limits = _limits(settings)
    held, calls = observation.budgets, observation.calls
    observing = observation.watch if _watched(settings) else None
    evaluations = observing.evaluations if observing else None
    servicers = (
        Functions(registry, scheduler, limits, entrance.current),
        Evaluation(registry, scheduler, limits, held, channels.segments, evaluations),
        Graphs(registry, scheduler, limits),
        Capabilities(observation.engine, limits, channels),
        Administration(registry, scheduler, quarantine, entrance.current, observation),
    )
    server = grpc.aio.server(
        options=channel_options(settings), maximum_concurrent_rpcs=settings.max_concurrent_rpcs
    )
    bound = (
        bind(service, servicer, calls, observing, largest_message(settings))
        for service, servicer in zip(_SERVICES, servicers, strict=True)
    )
    door = entrance.door(server, calls)
    door.add_generic_rpc_handlers(
        tuple(
            Announced(handlers, _EVALUATE, held.requests, calls, largest_message(settings))
            for handlers in bound
        )
    )
    health.add_to(server)
    add_reflection(door, _NAMES)
    return server


def _limits(settings: Settings) -> Limits:
    return Limits(
        message_bytes=settings.max_message_bytes,
        program_bytes=settings.max_program_bytes,
        result_bytes=settings.max_result_bytes or settings.max_message_bytes,
        constant_bytes=settings.max_constant_bytes,
        program_constant_bytes=settings.max_program_constant_bytes,
        inputs=settings.max_inputs,
        derivative_order=settings.max_derivative_order,
        batch=settings.max_batch,
        in_flight=settings.max_in_flight,
        in_flight_per_stream=settings.max_in_flight_per_stream,
    )
