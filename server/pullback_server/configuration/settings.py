"""The settings of a server, each with its meaning."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    BeforeValidator,
    ByteSize,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

_MIB = 1 << 20
_LARGEST_MESSAGE = (1 << 31) - 1
_DEEPEST_NESTING = 64


def _joined(value: object) -> object:
    """A list, as a file has it, in the form that flags have."""
    return ",".join(map(str, value)) if isinstance(value, list) else value


class Settings(BaseSettings):
    """Serve functions and their derivatives over gRPC."""

    model_config = SettingsConfigDict(
        env_prefix="PULLBACK_",
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        cli_kebab_case=True,
        cli_implicit_flags=True,
        cli_avoid_json=True,
        cli_hide_none_type=True,
        cli_prog_name="python -m pullback_server",
    )

    config: Path | None = None
    """A TOML file with settings, named as here with underscores. Flags and environment variables go
    before it."""

    listen: Annotated[str, BeforeValidator(_joined)] = "127.0.0.1:7450"
    """Where to listen: host:port, with port 0 for any free one, or unix:/path, which is faster for clients on
    this machine, since they share memory with the server; or several, with commas between. An address that
    other machines reach takes TLS and callers who are asked who they are, or insecure."""

    insecure: bool = False
    """Listen where other machines reach the server, even without TLS or without asking who calls, and warn of
    it: for networks that keep others out, or with a proxy before the server that does all that."""

    tls_certificate: Path | None = None
    """The server's certificate in PEM, followed by those that lead to its authority; every host:port
    speaks TLS then. A reload reads the file again, for connections from then on."""

    tls_key: Path | None = None
    """The private key of tls_certificate, in PEM, without a password. A reload reads the file again."""

    tls_client_ca: Path | None = None
    """Certificates in PEM of authorities; clients then need a certificate of one of them to connect at any
    host:port. Which tenant's they are says tenants_file. A reload reads the file again."""

    tenants_file: Path | None = None
    """A TOML file with the tenants: their limits, the hashes of their tokens, and the subjects of their
    certificates (docs/security.md). With it, and with oidc_issuer, callers are asked who they are. A reload
    reads the file again."""

    oidc_issuer: str | None = None
    """The issuer whose JWTs are taken as tokens: an address that begins with https://, as the claim "iss" has
    it."""

    oidc_audience: str | None = None
    """For whom JWTs must be made, as the claim "aud" has it; needed with oidc_issuer."""

    oidc_jwks_url: str | None = None
    """Where the issuer's public keys are; left out, the issuer tells at /.well-known/openid-configuration."""

    oidc_jwks_file: Path | None = None
    """A file with the issuer's public keys as a JSON Web Key Set, in place of an address. It is read
    again as one from an address is: every ten minutes, when a token names a new key, and by a reload."""

    oidc_tenant_claim: str = "tenant"
    """The claim of a JWT that names the tenant; with dots between, a path into nested claims."""

    oidc_role_claim: Annotated[str, BeforeValidator(_joined)] = "role,scope"
    """The claims of a JWT that may name the role, with commas between; the first that is there counts. It has
    evaluate, register or administer among its words, or as a scope such as pullback:register."""

    oidc_leeway_seconds: NonNegativeFloat = 30.0
    """By how much the clocks of the issuer and the server may differ."""

    socket_tenant: str | None = None
    """Whose callers at unix:/path are who bring no token, on a server that asks who calls. Left out, with a
    socket_mode of 600 or less they are administrators without a tenant, since they could read the server's
    files as well; with another mode they need a token."""

    socket_role: Literal["evaluate", "register", "administer"] = "register"
    """What the callers of socket_tenant may do."""

    reuse_port: bool = False
    """Let several servers listen at the same port and share its connections; without it, the second one
    cannot start."""

    max_concurrent_rpcs: PositiveInt = 8192
    """The most calls that are open at a time, those that wait among them; more are refused."""

    max_silent_seconds: NonNegativeFloat = 60.0
    """How long a call may keep the server waiting for its message, or an upload for the next part; then it
    fails with DEADLINE_EXCEEDED. A second more is for each 512 KiB that pullback-request-bytes announces, and
    for each 64 KiB that parts have brought. 0 is as long as it takes. EvaluateStream may be idle."""

    max_connection_age_seconds: NonNegativeFloat = 3600.0
    """After how long clients are asked to connect anew, so that they spread over new servers and show new
    certificates; calls that are open go on. 0 leaves connections as long as they are."""

    max_connection_age_grace_seconds: NonNegativeFloat = 0.0
    """How long calls may go on then; 0 is until they end."""

    socket_mode: Annotated[str, Field(pattern="^[0-7]{3}$")] = "600"
    """Who may use unix:/path, as the mode of the socket's file: 600 is the server's own user, 660 also its
    group."""

    max_client_memory_bytes: ByteSize = Field(default=ByteSize(4096 * _MIB), ge=0)
    """The most memory that one process on this machine may share with the server, in bytes or such as "4GiB";
    0 has clients send everything in messages."""

    max_shared_memory_bytes: ByteSize = Field(default=ByteSize(16384 * _MIB), ge=0)
    """The most memory that all processes on this machine may share with the server, in bytes or such as
    "16GiB"."""

    data_dir: Path = Path("~/.local/share/pullback")
    """The directory that keeps registered functions. One server at a time uses it."""

    compilation_cache_dir: Path | None = None
    """The directory where compiled executables are kept over restarts; left out, "compiled" in
    data_dir."""

    max_compilation_cache_bytes: ByteSize = Field(default=ByteSize(4096 * _MIB), gt=0)
    """How large that directory may grow, in bytes or such as "4GiB"; looked at each minute, and the least
    recently used executables go first."""

    devices: str = "auto"
    """What to compute on, with one worker process each: "cpu", "cpu:N" for N workers, "cuda" for every GPU,
    "cuda:0,1" for some, "tpu", or "auto" for every GPU if JAX can use them and else the CPU. "cpu" alone is
    as many workers as use the cores well: with jaxlib 0.10, where XLA may use one thread only, one for each
    core; with later ones, one for four; at most 8, and one for 2 GiB of memory."""

    max_message_bytes: ByteSize = Field(default=ByteSize(256 * _MIB), gt=0, le=_LARGEST_MESSAGE)
    """The largest request or answer, in bytes or such as "64MiB"; at most 2 GiB, which is gRPC's own
    limit. A request may have a mebibyte more around its tensors."""

    max_program_bytes: ByteSize = Field(default=ByteSize(64 * _MIB), gt=0, le=_LARGEST_MESSAGE)
    """The largest serialized program, in bytes or such as "64MiB"."""

    max_operations: PositiveInt = 1_000_000
    """The most operations of a program: of StableHLO, those of a function counted again wherever it is
    called, nodes of an ONNX model and of a formula."""

    max_nesting: Annotated[PositiveInt, Field(le=_DEEPEST_NESTING)] = _DEEPEST_NESTING
    """How deep a program may be nested: regions, calls and loops of StableHLO, graphs of ONNX, brackets of a
    formula. At most 64, which is what the stack of a worker's threads is sure to bear."""

    max_constant_bytes: ByteSize = Field(default=ByteSize(2048 * _MIB), gt=0)
    """The largest constant of a program, such as the weights of a layer, in bytes or such as "2GiB"."""

    max_program_constant_bytes: ByteSize = Field(default=ByteSize(8192 * _MIB), gt=0)
    """The most bytes of all constants of a program together, in bytes or such as "8GiB"."""

    max_inputs: PositiveInt = 10_000
    """The most tensors that a function takes: the leaves of all its arguments."""

    max_revisions: PositiveInt = 1000
    """The most revisions of a function. Each stays until the function is deleted."""

    max_batch: PositiveInt = 1 << 20
    """The most points in one request."""

    max_result_bytes: Annotated[ByteSize, Field(gt=0)] | None = None
    """The most bytes of the results of one request, in bytes or such as "1GiB"; predicted, and refused before
    anything runs. Left out, it is max_message_bytes, which results that travel in messages are held to in any
    case; those that are written into memory of a client on this machine may be larger."""

    max_derivative_order: PositiveInt = 6
    """The highest order of a derivative."""

    sweep_bytes: ByteSize = Field(default=ByteSize(256 * _MIB), gt=0)
    """The memory that those directions of a Jacobian or Hessian may need that are taken at a time, in bytes
    or such as "4GiB"; an estimate. More is faster on a device that has it, less lets larger ones run."""

    sandbox: Literal["auto", "off", "required"] = "auto"
    """Whether worker processes give up what they do not need before they read a program: sockets, other
    programs, and files but their cache and what Python is made of. "auto" as far as the system can, and the
    log says how far; "required" has workers not start where it cannot; docs/security.md."""

    worker_address_space_bytes: Annotated[ByteSize, Field(gt=0)] | None = None
    """The most address space of a worker process, in bytes or such as "64GiB". It is much more than the
    memory that it uses, above all with a GPU; left out, there is no limit."""

    max_device_memory_bytes: Literal["auto"] | Annotated[ByteSize, Field(gt=0)] = "auto"
    """The most memory of its device that a run may need, in bytes or such as "16GiB", by what the compiler
    says; more is refused before it runs. "auto" is what JAX may use of a GPU, and for workers on a CPU three
    quarters of the memory of the machine or its container, divided by their number."""

    worker_memory_bytes: ByteSize = Field(default=ByteSize(1024 * _MIB), ge=0)
    """The most memory in which large tensors cross between the server's processes, in bytes or such as
    "1GiB"; taken only as it is needed, and all but a quarter given back. What finds no room in it crosses as
    well, but slower."""

    max_in_flight: PositiveInt = 512
    """The most requests in flight in the whole server; more are refused with OVERLOADED."""

    max_bytes_in_flight: ByteSize = Field(default=ByteSize(1024 * _MIB), gt=0)
    """The bytes of requests and results that the server holds at a time, in bytes or such as "4GiB". Large
    requests wait in the clients until there is room; one alone may have half of it, and its results a
    quarter, since they are there twice while they are sent. Sparse results, whose size is known when they
    are there, wait for that in another quarter."""

    max_in_flight_per_stream: PositiveInt = 64
    """The most requests of one stream that are worked on at a time; more wait in the client."""

    join_points: NonNegativeInt = 256
    """The most points of a batch that is made of requests which wait for the same derivative; 0 or 1 has each
    request run by itself."""

    join_bytes: ByteSize = Field(default=ByteSize(_MIB), ge=0)
    """The most bytes that such a batch's inputs and results may have, in bytes or such as "1MiB"; 0 has each
    request run by itself."""

    worker_environment: Annotated[str, BeforeValidator(_joined)] = ""
    """Names of environment variables that worker processes have as well, with commas between. They have those
    of the system, Python, JAX, XLA, CUDA, ROCm and TPUs, and no others, in which secrets may be."""

    worker_start_seconds: PositiveFloat = 120.0
    """How long a worker process may take until it has its device."""

    spare_workers: Literal["auto"] | NonNegativeInt = "auto"
    """How many worker processes wait, started and without work, to take the place of one that dies; on a CPU
    only, since a process that waits would hold an accelerator's memory. "auto" is one where there are four
    cores or more."""

    max_run_seconds: NonNegativeFloat = 600.0
    """How long an evaluation may run on a device; 0 is as long as it takes. What runs longer is ended with
    its worker, and fails with RUN_TIME_EXCEEDED. While the whole worker stands still, as where a very large
    program is read beside it, this time stands still as well."""

    max_compile_seconds: NonNegativeFloat = 600.0
    """How long a program may take to be read, traced and compiled; 0 is as long as it takes. What takes
    longer is ended with its worker, and fails with COMPILE_TIME_EXCEEDED."""

    max_abandoned_seconds: NonNegativeFloat = 1.0
    """How long a worker may go on with what nobody waits for any more, since its caller has gone or its
    deadline has passed; then the worker is ended. It has 10 s more where others wait there for the same
    program, and 30 s more to compile, as whoever asks again finds that done. What was left so three times in
    ten minutes runs alone for the next ten, so that its end costs nobody else anything."""

    max_worker_memory_bytes: Literal["auto"] | Annotated[ByteSize, Field(ge=0)] = "auto"
    """The most memory of its own that a worker process may have, in bytes or such as "16GiB"; 0 is as much as
    there is. "auto" is nine tenths of the memory of the machine or its container, divided by the number of
    workers. A worker that has more is ended."""

    max_replays: NonNegativeInt = 2
    """How often a request is repeated after it ran where a worker died."""

    quarantine_deaths: NonNegativeInt = 2
    """So many workers that a program has certainly killed at requests of a tenant put it into quarantine: it
    is refused to this tenant with QUARANTINED until an administrator clears it. 0 puts none there."""

    worker_silent_seconds: PositiveFloat = 10.0
    """How long a worker may show no sign of life before it is ended: its process was stopped, or native code
    lets its interpreter not go on."""

    probe_seconds: PositiveFloat = 10.0
    """After how long without an answer an idle worker is asked to evaluate what is known, and how long it may
    take; one that fails is ended."""

    drain_seconds: NonNegativeFloat = 2.0
    """How long to go on serving after SIGTERM, with health at NOT_SERVING, so that clients and load balancers
    notice and go elsewhere. After SIGINT there is no such pause."""

    grace_seconds: NonNegativeFloat = 30.0
    """How long requests in flight may take to finish when the server stops."""

    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(str.upper)] = "INFO"
    """The lowest level of messages in the log, which goes to standard error. Read anew on SIGHUP, where it
    counts for the front alone."""

    log_format: Literal["text", "json"] = "text"
    """How the log looks: text for people, or one JSON object a line."""

    audit_log: str = ""
    """A file for the audit log: one JSON object a line, of who registered, deleted, granted and administered
    what, and who was turned away (docs/tenants.md). "-" is standard error; empty writes none."""

    slow_request_seconds: NonNegativeFloat = 10.0
    """Requests that take longer are told in the log, with where their time went; 0 tells of none."""

    recorded_requests: Annotated[int, Field(ge=0, le=100_000)] = 1000
    """How many of the last evaluations are remembered, without their numbers: for `pullback top`, and to be
    written to "crashes" in data_dir when a worker dies."""

    metrics_listen: str = ""
    """Where to show metrics to Prometheus, as host:port, such as 127.0.0.1:9464; empty shows none. Nobody is
    asked who they are there: open it to a network that you trust only."""

    metrics_tenants: PositiveInt = 16
    """How many tenants have metrics of their own, in the order in which they come; the others share theirs,
    as "other"."""

    tracing: bool = False
    """Tell OpenTelemetry of each request, which sends traces where its own environment variables say, such as
    OTEL_TRACES_EXPORTER and OTEL_EXPORTER_OTLP_ENDPOINT. Needs pullback[tracing]."""

    temporary_dir: Path | None = None
    """A directory that is removed, with all that is in it, when the server has stopped: for a program that
    starts a server as a child, and may itself be killed."""

    exit_with_parent: bool = False
    """Stop when standard input is closed: for a program that starts a server as a child and holds the
    pipe."""
