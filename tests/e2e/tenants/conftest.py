"""A real server with tenants, and what their callers may do on it."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from e2e.server.conftest import start  # noqa: F401 -- a fixture
from e2e.server.running import Running, Start, details, request

from pullback.v1 import errors_pb2, functions_pb2

ROLES = ("evaluate", "register", "administer")
TENANTS = ("red", "blue", "ops")
LIMITS = {"blue": "max_functions = 3\nmax_stored_bytes = 20_000"}


@dataclass(frozen=True)
class Caller:
    """Somebody who calls with a token.

    Attributes:
        server: Whom it calls.
        token: Its token.
    """

    server: Running
    token: str

    def call(self, method: str, message: Any = None) -> Any:
        """Calls `Service/Method`."""
        return self.server.call(method, message, metadata=[("authorization", f"Bearer {self.token}")])

    def refused(self, method: str, message: Any = None) -> tuple[grpc.StatusCode, errors_pb2.ErrorInfo]:
        """The code and the reason of a call that fails."""
        with pytest.raises(grpc.RpcError) as caught:
            _whole(self.call(method, message))
        return caught.value.code(), details(caught.value)[1]

    def function(self, name: str) -> functions_pb2.Function:
        """A function, by its resource name."""
        message = functions_pb2.GetFunctionRequest(name=name)
        function: functions_pb2.Function = self.call("FunctionService/GetFunction", message).function
        return function

    def value(self, name: str, *values: Any) -> float:
        """The value of a function, by its resource name."""
        return float(self._first(self.call("EvaluationService/Evaluate", self.asking(name, *values))))

    @staticmethod
    def asking(name: str, *values: Any) -> Any:
        """The request for the value of a function, by its resource name."""
        message = request("f", "VALUE", *values)
        message.function = name
        return message

    @staticmethod
    def _first(response: Any) -> float:
        return float(memoryview(response.results[0].tensors[0].data).cast("d")[0])


def _whole(answer: Any) -> None:
    """Reads an answer that is a stream, to its end."""
    if hasattr(answer, "__next__"):
        deque(answer, 0)


As = Callable[[str, str], Caller]


@pytest.fixture(scope="module")
def tokens() -> dict[tuple[str, str], str]:
    """A token for each tenant and role."""
    return {(tenant, role): secrets.token_urlsafe(32) for tenant in TENANTS for role in ROLES}


@pytest.fixture(scope="module")
def tenants_file(tmp_path_factory: pytest.TempPathFactory, tokens: dict[tuple[str, str], str]) -> Path:
    """The tenants file of the server."""
    path = tmp_path_factory.mktemp("tenants") / "tenants.toml"
    lines = []
    for tenant in TENANTS:
        lines += [f"[tenants.{tenant}]", LIMITS.get(tenant, "")]
        for role in ROLES:
            digest = hashlib.sha256(tokens[tenant, role].encode()).hexdigest()
            lines += [f"[[tenants.{tenant}.tokens]]", f'name = "{tenant}-{role}"']
            lines += [f'sha256 = "{digest}"', f'role = "{role}"']
    path.write_text("\n".join(lines))
    return path


@pytest.fixture(scope="module")
def audit_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The server's audit log."""
    return tmp_path_factory.mktemp("audit") / "audit.jsonl"


@pytest.fixture(scope="module")
def server(start: Start, tenants_file: Path, audit_log: Path) -> Iterator[Running]:  # noqa: F811 -- the fixture
    """A server that knows the tenants."""
    return start(f"--tenants-file={tenants_file}", f"--audit-log={audit_log}")


@pytest.fixture(scope="module")
def as_(server: Running, tokens: dict[tuple[str, str], str]) -> As:
    """Makes a caller of a tenant and a role."""
    return lambda tenant, role: Caller(server, tokens[tenant, role])


@pytest.fixture
def told(audit_log: Path) -> Callable[[], list[dict[str, Any]]]:
    """What the audit log has been told since the test began."""
    before = len(audit_log.read_text().splitlines())
    return lambda: [json.loads(line) for line in audit_log.read_text().splitlines()[before:]]
